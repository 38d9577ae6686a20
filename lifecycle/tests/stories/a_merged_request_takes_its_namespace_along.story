# Where it is checked, what is made for a merge request goes with it; what is reopened is taken back once all is known.

config gitlab
policy review ttl=1d merged=yes
namespace review-1 label:cicd.skao.int/projectId=7 label:cicd.skao.int/pipelineId=46 label:cicd.skao.int/mrId=3

+0s   expect ok
+1h   the merge request is merged
+0s   expect cancelled
+0s   the merge request is open
+0s   the pipeline is unknown
+1h   expect cancelled
+0s   the pipeline runs
+1s   expect ok
+0s   the merge request is unknown
+1h   expect ok
+0s   policy review ttl=1d
+0s   the merge request is merged
+1h   expect ok

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy, mrId 3, pipelineId 46, projectId 7
     0:00:00 2. unknown -> ok [@24:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     1:00:00 3. ok -> cancelled [@1:00:05]: merge request 3 of project 7 was merged
     1:00:00    writes status=cancelled, no status_finalize_at, no status_timeframe, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     2:00:00 5. cancelled -> unknown: pipeline 46 of project 7 has the status `running`
     2:00:00 6. unknown -> ok [@24:00:00]: its health is not checked
     2:00:00    writes status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@2:00:00
     2:00:00    offers nothing
     3:00:01 7. policy is now review (enforce)
