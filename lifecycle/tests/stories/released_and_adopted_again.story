# Without a policy a namespace is released and our annotations go; adopted again, its time is what its creation says.

policy review ttl=1h
namespace review-1

+10m    no-policy
+2h     expect no task
+0s     policy review ttl=3h
+0s     expect ok
+0s     no-policy
+1h     policy review ttl=3h
+0s     expect stale
+0s     expect unforetold

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:10:00 3. released: no policy applies to it any more
     0:10:00    writes no managed, no namespace, no status, no status_finalize_at, no status_timeframe, no status_timestamp
     2:10:00 4. adopted under review (enforce); ends @3:00:00 by its policy
     2:10:00 5. unknown -> ok [@3:00:00]: its health is not checked
     2:10:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@3:00:00, status_timeframe=3 hours, status_timestamp=@2:10:00
     2:10:00 6. released: no policy applies to it any more
     2:10:00    writes no managed, no namespace, no status, no status_finalize_at, no status_timeframe, no status_timestamp
     3:10:00 7. adopted under review (enforce); ends @3:00:00 by its policy
     3:10:00 8. unknown -> stale [@3:00:00]: it has lived for 3 hours and 10 minutes of the 3 hours that policy `review` gives it
     3:10:00    writes managed=true, namespace=review-1, status=stale, status_finalize_at=@3:00:00, status_timeframe=3 hours, status_timestamp=@3:10:00
     3:10:00 9. the status of entry 8 is seen
