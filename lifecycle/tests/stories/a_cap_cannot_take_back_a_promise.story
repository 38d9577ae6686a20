# Where the policy's cap and not the owner's request makes the end come earlier, what was promised stays promised.

config channel
policy review ttl=4h warn_before=1h
namespace review-1

+3h     a notice is intended
+0s     the notice is sent
+31m    owner ttl=for ever
+0s     expect ok
+1s     policy review ttl=30m max_ttl=1h warn_before=1h
+0s     expect stale
+0s     expect guard promise waits
+0s     a notice is intended
+0s     the notice is sent
+28m    expect no task
+0s     expect guard promise waits
+1m58s  expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 4. notice 3 sent
     3:00:00    writes notified_status=stale, notified_timestamp=@3:00:00
     3:00:00    offers nothing
     3:31:00 5. moved by its policy: nothing sets an end
     3:31:00    writes no status_finalize_at, no status_timeframe
     3:31:01 6. policy is now review (enforce)
     3:31:01 7. moved by its policy: ends @1:00:00 by ttl `for ever`
     3:31:01 8. ok -> stale [@1:00:00]: it has lived for 3 hours, 31 minutes and 1 second of the 1 hour that its owner's annotation `for ever` gives it
     3:31:01    writes no notified_status, no notified_timestamp, status=stale, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@3:31:01
     3:31:01 9. the status of entry 8 is seen
     3:31:01    offers notify due to 7
     3:31:01 10. notice about stale on chat: deletion @1:00:00, promised not before @3:31:01
     3:31:01 11. notice 10 sent
     3:31:01    writes notified_status=stale, notified_timestamp=@3:31:01
     3:31:01    offers nothing
     4:01:00    offers delete due to 8
