# Two clocks of which the apiserver's agrees with both are a minute apart at most: what is over by the one is not taken back by
# the other.

policy review ttl=1h
namespace review-1

+1h     expect stale
+0s     clock jumps -59s
+0s     expect stale
+0s     clock jumps -2s
+0s     expect ok

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     0:58:59 5. stale -> unknown: it has lived for 58 minutes and 59 seconds of the 1 hour that policy `review` gives it
     0:58:59 6. unknown -> ok [@1:00:00]: its health is not checked
     0:58:59    writes status=ok, status_timestamp=@0:58:59
