# While Prometheus does not answer nothing changes, and the time does not count; what is stale is stale all the same.

config prometheus=30s
policy review ttl=3h
namespace review-1

+0s    health fails
+5m30s expect failing
+30m   health is unknown
+1h    expect failing
+0s    health fails
+29m   expect failing
+1m    expect failed
+0s    expect nothing after 5
+0s    health is unknown
+1h    expect stale

---
     0:00:00 1. adopted under review (enforce); ends @3:00:00 by its policy
     0:00:00 2. unknown -> unstable [@1:05:00]: alert `Down` fires
     0:00:00    writes failing_resources=[{"labels":{"alertname":"Down"}}], managed=true, namespace=review-1, status=unstable, status_finalize_at=@1:05:00, status_timeframe=1 hour and 5 minutes, status_timestamp=@0:00:00
     0:05:00 3. unstable -> failing [@1:05:00]: it has been unstable for 5 minutes: alert `Down` fires
     0:05:00    writes status=failing, status_timeframe=1 hour, status_timestamp=@0:05:00
     2:05:30 4. failing -> failed [@2:05:35]: it has been failing for 2 hours and 30 seconds: alert `Down` fires
     2:05:30    writes status=failed, no status_finalize_at, no status_timeframe, status_timestamp=@2:05:30
     2:05:30 5. the status of entry 4 is seen
     2:05:35    offers delete due to 4
     3:00:00 6. failed -> stale [@3:00:00]: it has lived for 3 hours of the 3 hours that policy `review` gives it
     3:00:00    writes status=stale, status_finalize_at=@3:00:00, status_timeframe=3 hours, status_timestamp=@3:00:00
     3:00:00 7. the status of entry 6 is seen
     3:00:00    offers nothing
     3:00:05    offers delete due to 6
