# A namespace lives for its policy's ttl: ok until then, stale from the first instant of it, and deleted.

policy review ttl=1h
namespace review-1

+0s       expect ok
+59m59.999s expect ok
+0.001s   expect stale
+4.999s   expect no task
+0.001s   expect task delete
+0s       a worker intends
+1s       it is done
+1s       expect no task
+0s       it is gone

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     1:00:05 5. delete intended, attempt 1 of 3, until @1:00:50
     1:00:05    offers nothing
     1:00:06 6. attempt 5 done
     1:00:07 7. gone
