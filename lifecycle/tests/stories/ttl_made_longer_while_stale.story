# What is stale becomes unknown and then ok when its time turns out not to be over, and stale again when it is.

policy review ttl=1h
namespace review-1

+1h     expect stale
+4s     owner ttl=2h
+0s     expect ok
+59m56s expect stale
+4s     expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:04 5. moved by its owner: ends @2:00:00 by ttl `2h`
     1:00:04 6. stale -> unknown: it has lived for 1 hour and 4 seconds of the 2 hours that its owner's annotation `2h` gives it
     1:00:04 7. unknown -> ok [@2:00:00]: its health is not checked
     1:00:04    writes status=ok, status_finalize_at=@2:00:00, status_timeframe=2 hours, status_timestamp=@1:00:04
     2:00:00 8. ok -> stale [@2:00:00]: it has lived for 2 hours of the 2 hours that its owner's annotation `2h` gives it
     2:00:00    writes status=stale, status_timestamp=@2:00:00
     2:00:00 9. the status of entry 8 is seen
     2:00:05    offers delete due to 8
