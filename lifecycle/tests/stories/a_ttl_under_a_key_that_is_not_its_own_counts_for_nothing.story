# What resembles `ttl` or `expires_at` is told of, and counts for nothing; neither does what resembles no override.

policy review ttl=1h
namespace review-1 TTL=2d expires-at=@3d

+1s     owner protect-pods=yes
+0s     owner upkeep=@3d
+59m59s expect stale
+5s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
