# A clock that is not to be trusted takes nothing back either.

policy review ttl=1h
namespace review-1

+1h     expect stale
+1s     clock jumps -1d and is off
+0s     expect stale
+1m     expect stale
+0s     clock jumps 1d
+0s     clock known
+0s     expect stale
+0s     expect nothing after 4

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:01:01    offers delete due to 3
