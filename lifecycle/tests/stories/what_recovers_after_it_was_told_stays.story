# Who mends what has failed before it is deleted keeps it, and a later failure within half an hour is not told again.

config channel prometheus=30s
policy review ttl=1d settling_period=0 grace_period=0
namespace review-1

+0s     health fails
+30s    expect failed
+0s     a notice is intended
+1s     the notice is sent
+5m     health is fine
+30s    expect failed
+30s    expect ok
+0s     expect no task
+1m     health fails
+30s    expect failed
+0s     a notice is intended
+0s     expect guard notice clear
+10m    expect guard promise clear
+0s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> unstable [@0:00:00]: alert `Down` fires
     0:00:00 3. unstable -> failing [@0:00:00]: it has been unstable for 0 seconds: alert `Down` fires
     0:00:00 4. failing -> failed [@0:10:00]: it has been failing for 0 seconds: alert `Down` fires
     0:00:00    writes failing_resources=[{"labels":{"alertname":"Down"}}], managed=true, namespace=review-1, status=failed, status_timestamp=@0:00:00
     0:00:00 5. the status of entry 4 is seen
     0:00:00    offers notify due to 4
     0:00:30 6. notice about failed on chat: deletion @0:10:00, promised not before @0:10:30
     0:00:31 7. notice 6 sent, promised not before @0:10:31
     0:00:31    writes notified_status=failed, notified_timestamp=@0:00:31
     0:00:31    offers nothing
     0:06:00    writes failing_resources=[]
     0:06:30 8. failed -> ok [@24:00:00]: no alert fires
     0:06:30    writes no notified_status, no notified_timestamp, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:06:30
     0:08:00 9. ok -> unstable [@0:08:00]: alert `Down` fires
     0:08:00 10. unstable -> failing [@0:08:00]: it has been unstable for 0 seconds: alert `Down` fires
     0:08:00 11. failing -> failed [@0:18:00]: it has been failing for 0 seconds: alert `Down` fires
     0:08:00    writes failing_resources=[{"labels":{"alertname":"Down"}}], status=failed, no status_finalize_at, no status_timeframe, status_timestamp=@0:08:00
     0:08:00 12. the status of entry 11 is seen
     0:08:00    offers notify due to 11
     0:08:01 13. notice about failed skipped, deletion @0:18:00: its owner was told lately
     0:08:01    offers nothing
     0:18:00    offers delete due to 11
