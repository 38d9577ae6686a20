# An instant before its creation is over at once; the time it was given reads as none.

policy review ttl=1h
namespace review-1 created=@1h expires_at=@30m

+2h     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @0:30:00 by expires_at `@0:30:00`
     0:00:00 2. unknown -> ok [@0:30:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@0:30:00, status_timeframe=0 seconds, status_timestamp=@0:00:00
     0:30:00 3. ok -> stale [@0:30:00]: it has lived for 0 seconds of the 0 seconds that its owner's annotation `2026-01-05T00:30:00Z` gives it
     0:30:00    writes status=stale, status_timestamp=@0:30:00
     0:30:00 4. the status of entry 3 is seen
     0:30:05    offers delete due to 3
