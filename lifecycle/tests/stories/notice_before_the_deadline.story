# Its owner is told warn_before ahead of the deadline, and the deletion comes 60 s after the time promised.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+2h59m59.999s expect no task
+0.001s expect task notify
+1s     a notice is intended
+1s     expect task notify
+1s     the notice is sent
+0s     expect no task
+59m57s expect stale
+59.999s expect no task
+0s     expect guard promise waits
+0.001s expect task delete
+0s     expect foretold

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:01 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:03 4. notice 3 sent
     3:00:03    writes notified_status=stale, notified_timestamp=@3:00:03
     3:00:03    offers nothing
     4:00:00 5. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes no notified_status, no notified_timestamp, status=stale, status_timestamp=@4:00:00
     4:01:00    offers delete due to 5
