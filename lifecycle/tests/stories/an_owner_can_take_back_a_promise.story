# The owner's own request for an earlier end frees the promise, and is told of.

config channel
policy review ttl=4h warn_before=1h
namespace review-1

+3h     a notice is intended
+0s     the notice is sent
+1s     owner ttl=2h
+0s     expect stale
+0s     expect guard promise clear
+0s     expect task notify
+0s     a notice is intended
+0s     the notice is sent
+10m59.999s expect no task
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
     3:00:01 5. moved by its owner: ends @2:00:00 by ttl `2h`
     3:00:01 6. ok -> stale [@2:00:00]: it has lived for 3 hours and 1 second of the 2 hours that its owner's annotation `2h` gives it
     3:00:01    writes no notified_status, no notified_timestamp, status=stale, status_finalize_at=@2:00:00, status_timeframe=2 hours, status_timestamp=@3:00:01
     3:00:01 7. the status of entry 6 is seen
     3:00:01    offers notify due to 5
     3:00:01 8. notice about stale on chat: deletion @2:00:00, promised not before @3:10:01
     3:00:01 9. notice 8 sent
     3:00:01    writes notified_status=stale, notified_timestamp=@3:00:01
     3:00:01    offers nothing
     3:11:01    offers delete due to 6
