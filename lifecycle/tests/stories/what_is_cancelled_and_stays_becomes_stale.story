# Where a policy leaves what was cancelled, its time to live ends it.

config gitlab
policy review ttl=1h delete-cancelled=no
namespace review-1 label:cicd.skao.int/projectId=7 label:cicd.skao.int/pipelineId=46

+0s   the pipeline is cancelled
+0s   expect cancelled
+59m  expect no task
+1m   expect stale
+5s   expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy, pipelineId 46, projectId 7
     0:00:00 2. unknown -> cancelled [@0:00:05]: pipeline 46 of project 7 was cancelled
     0:00:00    writes managed=true, namespace=review-1, status=cancelled, status_timestamp=@0:00:00
     1:00:00 3. cancelled -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
