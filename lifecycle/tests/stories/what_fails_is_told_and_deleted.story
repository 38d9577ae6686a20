# What goes on failing is unstable, failing and failed in turn; its owner is told once it has failed, and has ten minutes.

config channel prometheus=30s
policy review ttl=1d
namespace review-1

+0s     health is fine
+10m    expect ok
+0s     health fails
+30s    expect unstable
+4m59s  expect unstable
+1s     expect failing
+59m59s expect failing
+1s     expect failed
+0s     expect task notify
+1s     a notice is intended
+1s     the notice is sent
+0s     expect unforetold
+10m    expect guard promise waits
+59s    expect no task
+1s     expect task delete
+0s     a worker intends
+1s     it is done

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> ok [@24:00:00]: no alert fires
     0:00:00    writes failing_resources=[], managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     0:10:30 3. ok -> unstable [@1:15:30]: alert `Down` fires
     0:10:30    writes failing_resources=[{"labels":{"alertname":"Down"}}], status=unstable, status_finalize_at=@1:15:30, status_timeframe=1 hour and 5 minutes, status_timestamp=@0:10:30
     0:15:30 4. unstable -> failing [@1:15:30]: it has been unstable for 5 minutes: alert `Down` fires
     0:15:30    writes status=failing, status_timeframe=1 hour, status_timestamp=@0:15:30
     1:15:30 5. failing -> failed [@1:25:30]: it has been failing for 1 hour: alert `Down` fires
     1:15:30    writes status=failed, no status_finalize_at, no status_timeframe, status_timestamp=@1:15:30
     1:15:30 6. the status of entry 5 is seen
     1:15:30    offers notify due to 5
     1:15:31 7. notice about failed on chat: deletion @1:25:30, promised not before @1:25:31
     1:15:32 8. notice 7 sent, promised not before @1:25:32
     1:15:32    writes notified_status=failed, notified_timestamp=@1:15:32
     1:15:32    offers nothing
     1:26:32    offers delete due to 5
     1:26:32 9. delete intended, attempt 1 of 5, until @1:27:17
     1:26:32    offers nothing
     1:26:33 10. attempt 9 done
