# Its owner's ttl counts instead of the policy's, also where it is shorter.

policy review ttl=1h
namespace review-1

+0s     turn
+1m     owner ttl=10m
+8m59s  expect ok
+1s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:01:00 3. moved by its owner: ends @0:10:00 by ttl `10m`
     0:01:00    writes status_finalize_at=@0:10:00, status_timeframe=10 minutes
     0:10:00 4. ok -> stale [@0:10:00]: it has lived for 10 minutes of the 10 minutes that its owner's annotation `10m` gives it
     0:10:00    writes status=stale, status_timestamp=@0:10:00
     0:10:00 5. the status of entry 4 is seen
