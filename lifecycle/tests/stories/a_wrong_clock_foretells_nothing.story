# What a clock that was a day behind wrote does not count as having stood for a day.

policy review ttl=1h
namespace review-1 created=@-1d

+0s     clock jumps -1d and is off
+1s     clock jumps 1d
+0s     clock known
+0s     expect stale
+0s     expect unforetold

---
     0:00:01 1. adopted under review (enforce); ends @-23:00:00 by its policy
     0:00:01 2. unknown -> stale [@-23:00:00]: it has lived for 1 day and 1 second of the 1 hour that policy `review` gives it
     0:00:01    writes managed=true, namespace=review-1, status=stale, status_finalize_at=@-23:00:00, status_timeframe=1 hour, status_timestamp=@0:00:01
     0:00:01 3. the status of entry 2 is seen
