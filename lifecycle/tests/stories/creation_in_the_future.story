# A namespace created in the future has lived for no time, and gets its whole ttl.

policy review ttl=1h
namespace review-1 created=@30m

+0s     expect ok
+89m59s expect ok
+1s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1:30:00 by its policy
     0:00:00 2. unknown -> ok [@1:30:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:30:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:30:00 3. ok -> stale [@1:30:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:30:00    writes status=stale, status_timestamp=@1:30:00
     1:30:00 4. the status of entry 3 is seen
