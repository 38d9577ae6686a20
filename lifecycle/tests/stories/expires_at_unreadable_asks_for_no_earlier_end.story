# Who wrote what cannot be read asked for no earlier end: that it counts as one is not the owner's doing, and takes no promise back.

policy review ttl=1h max_keep=2d
namespace review-1 ttl=9w

+1h     clock unknown
+0s     owner removes ttl
+0s     owner expires_at=some day
+0s     clock known
+47h59m59s expect ok
+1s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1512:00:00 by ttl `9w`
     0:00:00 2. unknown -> ok [@1512:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1512:00:00, status_timeframe=9 weeks, status_timestamp=@0:00:00
     1:00:00 3. moved by its policy: ends @49:00:00 by expires_at `some day`
     1:00:00    writes status_finalize_at=@49:00:00, status_timeframe=2 days and 1 hour
    49:00:00 4. ok -> stale [@49:00:00]: it has lived for 2 days and 1 hour of the 2 days and 1 hour that its owner's annotation `some day`, which cannot be read, gives it
    49:00:00    writes status=stale, status_timestamp=@49:00:00
    49:00:00 5. the status of entry 4 is seen
