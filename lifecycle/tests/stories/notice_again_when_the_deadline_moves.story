# A notice tells of one deadline: another deadline is told of again, as another task.

config channel
policy review ttl=4h warn_before=1h
namespace review-1

+3h     a notice is intended
+0s     the notice is sent
+0s     expect no task
+1m     owner ttl=5h
+58m    expect no task
+1m     expect task notify
+0s     a notice is intended
+0s     the notice is sent
+1m     owner keep_until=@8h
+2h59m  expect task notify
+0s     expect guard notice waits
+0s     a notice is intended
+0s     the notice is sent
+1h     expect no task
+1m     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 4. notice 3 sent
     3:00:00    writes notified_status=stale, notified_timestamp=@3:00:00
     3:00:00    offers nothing
     3:01:00 5. moved by its owner: ends @5:00:00 by ttl `5h`
     3:01:00    writes status_finalize_at=@5:00:00, status_timeframe=5 hours
     4:00:00    offers notify due to 5
     4:00:00 6. notice about stale on chat: deletion @5:00:00, promised not before @5:00:00
     4:00:00 7. notice 6 sent
     4:00:00    writes notified_timestamp=@4:00:00
     4:00:00    offers nothing
     4:01:00 8. kept until @8:00:00 (asked for `@8:00:00`)
     5:00:00 9. ok -> stale [@5:00:00]: it has lived for 5 hours of the 5 hours that its owner's annotation `5h` gives it
     5:00:00    writes no notified_status, no notified_timestamp, status=stale, status_timestamp=@5:00:00
     5:00:00 10. the status of entry 9 is seen
     7:00:00    offers notify due to 8
     7:00:00 11. notice about stale on chat: deletion @8:00:00, promised not before @8:00:00
     7:00:00 12. notice 11 sent
     7:00:00    writes notified_status=stale, notified_timestamp=@7:00:00
     7:00:00    offers nothing
     8:01:00    offers delete due to 9
