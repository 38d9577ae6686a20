# What has failed and cannot be checked again waits by name: that is said once, again after another reason, and it is not stalled.

config prometheus=30s
policy review ttl=1d
namespace review-1

+0s     health is fine
+10m    health fails
+65m35s expect task delete
+0s     health is unknown
+0s     a worker waits for evidence
+30s    a worker waits for evidence
+20m    expect not stalled
+0s     expect failed
+0s     expect task delete
+0s     a worker waits for unannounced
+30s    a worker waits for evidence
+30s    a worker waits for unannounced
+0s     health fails
+30s    a worker intends
+1s     it is done

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> ok [@24:00:00]: no alert fires
     0:00:00    writes failing_resources=[], managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     0:10:30 3. ok -> unstable [@1:15:30]: alert `Down` fires
     0:10:30    writes failing_resources=[{"labels":{"alertname":"Down"}}], status=unstable, status_finalize_at=@1:15:30, status_timeframe=1 hour and 5 minutes, status_timestamp=@0:10:30
     0:15:30 4. unstable -> failing [@1:15:30]: it has been unstable for 5 minutes: alert `Down` fires
     0:15:30    writes status=failing, status_timeframe=1 hour, status_timestamp=@0:15:30
     1:15:30 5. failing -> failed [@1:15:35]: it has been failing for 1 hour: alert `Down` fires
     1:15:30    writes status=failed, no status_finalize_at, no status_timeframe, status_timestamp=@1:15:30
     1:15:30 6. the status of entry 5 is seen
     1:15:35    offers delete due to 5
     1:15:35 7. attempt none skipped, evidence
     1:36:05 8. attempt none skipped, unannounced
     1:36:35 9. attempt none skipped, evidence
     1:37:35 10. delete intended, attempt 1 of 5, until @1:38:20
     1:37:35    offers nothing
     1:37:36 11. attempt 10 done
