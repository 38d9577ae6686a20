# A deadline that the policy moves earlier is told of, but what was promised stays promised.

config channel
policy review ttl=4h warn_before=1h
namespace review-1

+3h     a notice is intended
+0s     the notice is sent
+31m    policy review ttl=2h warn_before=1h
+0s     expect stale
+0s     expect guard notice waits
+0s     a notice is intended
+0s     the notice is sent
+28m59s expect guard promise waits
+1m0.999s expect no task
+0.001s expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 4. notice 3 sent
     3:00:00    writes notified_status=stale, notified_timestamp=@3:00:00
     3:00:00    offers nothing
     3:31:00 5. policy is now review (enforce)
     3:31:00 6. moved by its policy: ends @2:00:00 by its policy
     3:31:00 7. ok -> stale [@2:00:00]: it has lived for 3 hours and 31 minutes of the 2 hours that policy `review` gives it
     3:31:00    writes no notified_status, no notified_timestamp, status=stale, status_finalize_at=@2:00:00, status_timeframe=2 hours, status_timestamp=@3:31:00
     3:31:00 8. the status of entry 7 is seen
     3:31:00    offers notify due to 6
     3:31:00 9. notice about stale on chat: deletion @2:00:00, promised not before @3:41:00
     3:31:00 10. notice 9 sent
     3:31:00    writes notified_status=stale, notified_timestamp=@3:31:00
     3:31:00    offers nothing
     4:01:00    offers delete due to 7
