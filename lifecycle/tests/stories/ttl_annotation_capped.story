# Its owner's ttl counts up to max_ttl.

policy review ttl=1h max_ttl=90m
namespace review-1 ttl=2w

+89m59s expect ok
+1s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1:30:00 by ttl `2w`
     0:00:00 2. unknown -> ok [@1:30:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:30:00, status_timeframe=1 hour and 30 minutes, status_timestamp=@0:00:00
     1:30:00 3. ok -> stale [@1:30:00]: it has lived for 1 hour and 30 minutes of the 1 hour and 30 minutes that its owner's annotation `2w` gives it
     1:30:00    writes status=stale, status_timestamp=@1:30:00
     1:30:00 4. the status of entry 3 is seen
