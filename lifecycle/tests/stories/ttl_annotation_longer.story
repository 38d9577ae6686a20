# Its owner's ttl counts instead of the policy's, also where it is longer.

policy review ttl=1h
namespace review-1 ttl=2h

+1h     expect ok
+59m59s expect ok
+1s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @2:00:00 by ttl `2h`
     0:00:00 2. unknown -> ok [@2:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@2:00:00, status_timeframe=2 hours, status_timestamp=@0:00:00
     2:00:00 3. ok -> stale [@2:00:00]: it has lived for 2 hours of the 2 hours that its owner's annotation `2h` gives it
     2:00:00    writes status=stale, status_timestamp=@2:00:00
     2:00:00 4. the status of entry 3 is seen
