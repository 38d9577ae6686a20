# Of keep requests under several prefixes the longest counts, and one that cannot be read is the longest.

config former=old.example/
policy review ttl=1h max_keep=2d
namespace review-1 keep_until=@2h

+0s     owner old.example/keep_until=@3h
+0s     owner old.example/keep_until=Tuesday
+0s     owner keep_until=@100h
+0s     owner old.example/keep_until=@1h
+0s     owner keep_until=@2h
+2h     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. kept until @3:00:00 (asked for `@3:00:00`)
     0:00:00 3. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:00:00 4. kept until @48:00:00 (asked for `Tuesday`)
     0:00:00 5. kept until @48:00:00 (asked for `@100:00:00`)
     0:00:00 6. kept until @2:00:00 (asked for `@2:00:00`)
     1:00:00 7. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 8. the status of entry 7 is seen
     2:00:00    offers delete due to 7
