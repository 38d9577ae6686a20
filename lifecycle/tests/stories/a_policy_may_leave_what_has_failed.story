# A policy that does not delete what has failed warns of the end of its life as ever.

config channel prometheus=30s
policy review ttl=4h settling_period=0 grace_period=0 delete-failed=no
namespace review-1

+0s       health fails
+30s      expect failed
+0s       expect no task
+2h59m30s expect task notify
+0s       a notice is intended
+0s       the notice is sent
+1h       expect stale
+1m       expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> unstable [@0:00:00]: alert `Down` fires
     0:00:00 3. unstable -> failing [@0:00:00]: it has been unstable for 0 seconds: alert `Down` fires
     0:00:00 4. failing -> failed [@0:10:00]: it has been failing for 0 seconds: alert `Down` fires
     0:00:00    writes failing_resources=[{"labels":{"alertname":"Down"}}], managed=true, namespace=review-1, status=failed, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 5. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 6. notice 5 sent
     3:00:00    writes notified_status=stale, notified_timestamp=@3:00:00
     3:00:00    offers nothing
     4:00:00 7. failed -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes no notified_status, no notified_timestamp, status=stale, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@4:00:00
     4:00:00 8. the status of entry 7 is seen
     4:01:00    offers delete due to 7
