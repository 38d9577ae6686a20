# Where a policy leaves what is superseded, its time to live ends it; where it does not, it stays superseded.

policy review ttl=1h superseded=newer-exists delete-superseded=no
namespace review-1

+0s     a newer deployment is ok
+0s     expect superseded
+59m    expect no task
+1m     expect stale
+5s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> superseded [@0:00:05]: job `2` deployed the same branch later, as `review-2`
     0:00:00    writes managed=true, namespace=review-1, status=superseded, status_finalize_at=@0:00:05, status_timeframe=5 seconds, status_timestamp=@0:00:00
     1:00:00 3. superseded -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
