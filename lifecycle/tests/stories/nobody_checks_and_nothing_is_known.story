# Where health is to be checked and nothing was checked yet, a namespace is not ok but unknown; its time to live ends all
# the same.

config prometheus=30s
policy review ttl=1h
namespace review-1

+0s    nobody checks health
+0s    expect unknown
+59m   expect unknown
+1m    expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00    writes managed=true, namespace=review-1, status=unknown, status_timestamp=@0:00:00
     1:00:00 2. unknown -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@1:00:00
     1:00:00 3. the status of entry 2 is seen
