# A name that the configuration excludes is released, its whole name only.

config exclude=review
policy review ttl=1h
namespace review-1

+0s     expect ok
+0s     config exclude=review-.
+0s     expect nothing after 3
+2h     expect no task

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:00:00 3. released: no policy applies to it any more
     0:00:00    writes no managed, no namespace, no status, no status_finalize_at, no status_timeframe, no status_timestamp
