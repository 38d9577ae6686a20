# What a pipeline made that was cancelled goes with it, once its owner was told.

config channel gitlab
policy review ttl=1d
namespace review-1 label:cicd.skao.int/projectId=7 label:cicd.skao.int/pipelineId=46

+1h   expect ok
+0s   the pipeline is cancelled
+0s   expect cancelled
+0s   expect task notify
+1s   a notice is intended
+0s   the notice is sent
+0s   expect unforetold
+10m  expect guard visible clear
+59s  expect no task
+1s   expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy, pipelineId 46, projectId 7
     0:00:00 2. unknown -> ok [@24:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     1:00:00 3. ok -> cancelled [@1:10:00]: pipeline 46 of project 7 was cancelled
     1:00:00    writes status=cancelled, no status_finalize_at, no status_timeframe, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:00    offers notify due to 3
     1:00:01 5. notice about cancelled on chat: deletion @1:10:00, promised not before @1:10:01
     1:00:01 6. notice 5 sent
     1:00:01    writes notified_status=cancelled, notified_timestamp=@1:00:01
     1:00:01    offers nothing
     1:11:01    offers delete due to 3
