# An answer that says nothing of the pipeline neither cancels nor takes back, and nothing is deleted on it; at the end of its time
# to live the namespace goes all the same.

config gitlab
policy review ttl=1d
namespace review-1 label:cicd.skao.int/projectId=7 label:cicd.skao.int/pipelineId=46

+0s   the pipeline is unknown
+1h   expect ok
+0s   nobody checks the pipeline
+1h   expect ok
+0s   the pipeline is cancelled
+0s   expect cancelled
+0s   the pipeline is unknown
+1h   expect cancelled
+0s   nobody checks the pipeline
+1h   expect cancelled
+19h  expect cancelled
+0s   the pipeline is unknown
+1h   expect stale

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy, pipelineId 46, projectId 7
     0:00:00 2. unknown -> ok [@24:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     2:00:00 3. ok -> cancelled [@2:00:05]: pipeline 46 of project 7 was cancelled
     2:00:00    writes status=cancelled, no status_finalize_at, no status_timeframe, status_timestamp=@2:00:00
     2:00:00 4. the status of entry 3 is seen
     2:00:05    offers delete due to 3
    24:00:00 5. cancelled -> stale [@24:00:00]: it has lived for 1 day of the 1 day that policy `review` gives it
    24:00:00    writes status=stale, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@24:00:00
    24:00:00 6. the status of entry 5 is seen
    24:00:00    offers nothing
