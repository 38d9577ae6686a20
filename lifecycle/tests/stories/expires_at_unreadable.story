# An end that cannot be read, and that nothing caps, counts as the longest keep from when it was first seen: one mistake after another prolongs nothing.

policy review ttl=1h max_keep=2d
namespace review-1 expires_at=forever

+10h    owner expires_at=for ever
+30h    owner expires_at=always
+7h59m59s expect ok
+1s     expect stale
+0s     owner expires_at=@50h
+0s     expect ok
+1h     owner expires_at=until the demo
+47h59m59s expect ok
+1s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @48:00:00 by expires_at `forever`
     0:00:00 2. unknown -> ok [@48:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@48:00:00, status_timeframe=2 days, status_timestamp=@0:00:00
    10:00:00 3. moved by its owner: ends @48:00:00 by expires_at `for ever`
    40:00:00 4. moved by its owner: ends @48:00:00 by expires_at `always`
    48:00:00 5. ok -> stale [@48:00:00]: it has lived for 2 days of the 2 days that its owner's annotation `always`, which cannot be read, gives it
    48:00:00    writes status=stale, status_timestamp=@48:00:00
    48:00:00 6. the status of entry 5 is seen
    48:00:00 7. moved by its owner: ends @50:00:00 by expires_at `@50:00:00`
    48:00:00 8. stale -> unknown: it has lived for 2 days of the 2 days and 2 hours that its owner's annotation `2026-01-07T02:00:00Z` gives it
    48:00:00 9. unknown -> ok [@50:00:00]: its health is not checked
    48:00:00    writes status=ok, status_finalize_at=@50:00:00, status_timeframe=2 days and 2 hours
    49:00:00 10. moved by its owner: ends @97:00:00 by expires_at `until the demo`
    49:00:00    writes status_finalize_at=@97:00:00, status_timeframe=4 days and 1 hour
    97:00:00 11. ok -> stale [@97:00:00]: it has lived for 4 days and 1 hour of the 4 days and 1 hour that its owner's annotation `until the demo`, which cannot be read, gives it
    97:00:00    writes status=stale, status_timestamp=@97:00:00
    97:00:00 12. the status of entry 11 is seen
