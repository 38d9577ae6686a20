# Where its health is checked no longer, nothing counts as failing.

config prometheus=30s
policy review ttl=1d
namespace review-1

+0s    health fails
+10m   expect failing
+0s    policy review ttl=1d health=off
+0s    expect ok

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> unstable [@1:05:00]: alert `Down` fires
     0:00:00    writes failing_resources=[{"labels":{"alertname":"Down"}}], managed=true, namespace=review-1, status=unstable, status_finalize_at=@1:05:00, status_timeframe=1 hour and 5 minutes, status_timestamp=@0:00:00
     0:05:00 3. unstable -> failing [@1:05:00]: it has been unstable for 5 minutes: alert `Down` fires
     0:05:00    writes status=failing, status_timeframe=1 hour, status_timestamp=@0:05:00
     0:10:00 4. policy is now review (enforce)
     0:10:00 5. failing -> ok [@24:00:00]: its health is not checked
     0:10:00    writes no failing_resources, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:10:00
