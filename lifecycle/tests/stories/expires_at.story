# The instant its owner names outranks every ttl, and is capped by max_ttl likewise.

policy review ttl=1h max_ttl=1d
namespace review-1 ttl=2h expires_at=@3h

+3h     expect stale
+0s     owner expires_at=@4h
+0s     expect ok
+1s     owner expires_at=@3w
+1s     owner expires_at=next Friday
+20h    expect ok
+59m58s expect stale

---
     0:00:00 1. adopted under review (enforce); ends @3:00:00 by expires_at `@3:00:00`
     0:00:00 2. unknown -> ok [@3:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@3:00:00, status_timeframe=3 hours, status_timestamp=@0:00:00
     3:00:00 3. ok -> stale [@3:00:00]: it has lived for 3 hours of the 3 hours that its owner's annotation `2026-01-05T03:00:00Z` gives it
     3:00:00    writes status=stale, status_timestamp=@3:00:00
     3:00:00 4. the status of entry 3 is seen
     3:00:00 5. moved by its owner: ends @4:00:00 by expires_at `@4:00:00`
     3:00:00 6. stale -> unknown: it has lived for 3 hours of the 4 hours that its owner's annotation `2026-01-05T04:00:00Z` gives it
     3:00:00 7. unknown -> ok [@4:00:00]: its health is not checked
     3:00:00    writes status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours
     3:00:01 8. moved by its owner: ends @24:00:00 by expires_at `@504:00:00`
     3:00:01    writes status_finalize_at=@24:00:00, status_timeframe=1 day
     3:00:02 9. moved by its owner: ends @24:00:00 by expires_at `next Friday`
    24:00:00 10. ok -> stale [@24:00:00]: it has lived for 1 day of the 1 day that its owner's annotation `next Friday` gives it
    24:00:00    writes status=stale, status_timestamp=@24:00:00
    24:00:00 11. the status of entry 10 is seen
