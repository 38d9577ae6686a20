# A clock that was wrong and is repaired takes back what it brought.

policy review ttl=1h
namespace review-1

+1s     clock jumps 1d
+0s     expect stale
+0s     clock jumps -1d
+0s     expect ok
+59m59s expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
    24:00:01 3. ok -> stale [@1:00:00]: it has lived for 1 day and 1 second of the 1 hour that policy `review` gives it
    24:00:01    writes status=stale, status_timestamp=@24:00:01
    24:00:01 4. the status of entry 3 is seen
     0:00:01 5. stale -> unknown: it has lived for 1 second of the 1 hour that policy `review` gives it
     0:00:01 6. unknown -> ok [@1:00:00]: its health is not checked
     0:00:01    writes status=ok, status_timestamp=@0:00:01
     1:00:00 7. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 8. the status of entry 7 is seen
