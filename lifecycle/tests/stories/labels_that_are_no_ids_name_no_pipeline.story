# Labels that hold anything but digits name no pipeline: they go into an address.

config gitlab
policy review ttl=1d
namespace review-1 label:cicd.skao.int/projectId=7..8 label:cicd.skao.int/pipelineId=46

+0s   the pipeline is cancelled
+1h   expect ok
+0s   label cicd.skao.int/projectId=7
+0s   expect cancelled
+0s   label cicd.skao.int/pipelineId=
+0s   expect ok

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy, pipelineId 46, projectId 7..8
     0:00:00 2. unknown -> ok [@24:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     1:00:00 3. ok -> cancelled [@1:00:05]: pipeline 46 of project 7 was cancelled
     1:00:00    writes status=cancelled, no status_finalize_at, no status_timeframe, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:00 5. cancelled -> unknown: its pipeline is not checked any more
     1:00:00 6. unknown -> ok [@24:00:00]: its health is not checked
     1:00:00    writes status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day
