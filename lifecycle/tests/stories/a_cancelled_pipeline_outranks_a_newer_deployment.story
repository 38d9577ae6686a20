# What was cancelled and is superseded at once is cancelled; what is superseded already stays so.

config gitlab
policy review ttl=1d superseded=newer-ready
namespace review-1 label:cicd.skao.int/projectId=7 label:cicd.skao.int/pipelineId=46

+0s   the pipeline is cancelled
+0s   a newer deployment is ok
+1s   expect cancelled
+0s   the pipeline runs
+1s   expect superseded
+0s   the pipeline is cancelled
+1s   expect superseded

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy, pipelineId 46, projectId 7
     0:00:00 2. unknown -> cancelled [@0:00:05]: pipeline 46 of project 7 was cancelled
     0:00:00    writes managed=true, namespace=review-1, status=cancelled, status_timestamp=@0:00:00
     0:00:00 3. the status of entry 2 is seen
     0:00:01 4. cancelled -> unknown: pipeline 46 of project 7 has the status `running`
     0:00:01 5. unknown -> superseded [@0:00:06]: job `2` deployed the same branch later, as `review-2`
     0:00:01    writes status=superseded, status_finalize_at=@0:00:06, status_timeframe=5 seconds, status_timestamp=@0:00:01
     0:00:01 6. the status of entry 5 is seen
