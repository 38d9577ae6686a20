# A pipeline that was cancelled and retried takes its namespace back, even when its deletion is due.

config gitlab
policy review ttl=1d
namespace review-1 label:cicd.skao.int/projectId=7 label:cicd.skao.int/pipelineId=46

+1h   the pipeline is cancelled
+0s   expect cancelled
+5s   expect task delete
+0s   the pipeline runs
+1s   turn
+0s   expect ok
+0s   expect no task
+0s   the pipeline is cancelled
+0s   expect cancelled

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy, pipelineId 46, projectId 7
     0:00:00 2. unknown -> ok [@24:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     1:00:00 3. ok -> cancelled [@1:00:05]: pipeline 46 of project 7 was cancelled
     1:00:00    writes status=cancelled, no status_finalize_at, no status_timeframe, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     1:00:05 5. cancelled -> unknown: pipeline 46 of project 7 has the status `running`
     1:00:05 6. unknown -> ok [@24:00:00]: its health is not checked
     1:00:05    writes status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@1:00:05
     1:00:05    offers nothing
     1:00:06 7. ok -> cancelled [@1:00:11]: pipeline 46 of project 7 was cancelled
     1:00:06    writes status=cancelled, no status_finalize_at, no status_timeframe, status_timestamp=@1:00:06
     1:00:06 8. the status of entry 7 is seen
