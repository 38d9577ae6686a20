# A keep that its owner withdraws holds nothing back any more.

policy review ttl=1h
namespace review-1 keep_until=@40h

+2h     expect no task
+0s     owner removes keep_until
+0s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. kept until @40:00:00 (asked for `@40:00:00`)
     0:00:00 3. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 4. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 5. the status of entry 4 is seen
     2:00:00 6. is no longer to be kept
     2:00:00    offers delete due to 4
