# A date alone means the end of that day, UTC, and so it does in a keep request.

policy review ttl=1h
namespace review-1 expires_at=2026-01-06 keep_until=2026-01-07

+47h59m59s expect ok
+1s     expect stale
+23h59m59s expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @48:00:00 by expires_at `@48:00:00`
     0:00:00 2. kept until @72:00:00 (asked for `@72:00:00`)
     0:00:00 3. unknown -> ok [@48:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@48:00:00, status_timeframe=2 days, status_timestamp=@0:00:00
    48:00:00 4. ok -> stale [@48:00:00]: it has lived for 2 days of the 2 days that its owner's annotation `2026-01-06` gives it
    48:00:00    writes status=stale, status_timestamp=@48:00:00
    48:00:00 5. the status of entry 4 is seen
    72:00:00    offers delete due to 4
