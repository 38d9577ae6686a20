# Nothing that stood or was told before counts as foretold or told once enforcing begins.

config enforce channel
policy review ttl=4h warn_before=2h
namespace review-1

+2h     a notice is intended
+0s     the notice is sent
+0s     config observe
+10h    expect stale
+0s     expect foretold
+0s     config enforce
+0s     expect unforetold
+0s     expect guard notice waits
+0s     expect task notify
+1s     a notice is intended
+0s     the notice is sent
+10m    expect no task
+59.999s expect no task
+0.001s expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     2:00:00    offers notify due to 1
     2:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     2:00:00 4. notice 3 sent
     2:00:00    writes notified_status=stale, notified_timestamp=@2:00:00
     2:00:00    offers nothing
     2:00:00 5. policy is now review (observe)
     4:00:00 6. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes no notified_status, no notified_timestamp, status=stale, status_timestamp=@4:00:00
     4:00:00 7. the status of entry 6 is seen
     4:01:00    offers delete due to 6
    12:00:00 8. policy is now review (enforce)
    12:00:00    offers notify due to 8
    12:00:01 9. notice about stale on chat: deletion @4:00:00, promised not before @12:10:01
    12:00:01 10. notice 9 sent
    12:00:01    writes notified_status=stale, notified_timestamp=@12:00:01
    12:00:01    offers nothing
    12:11:01    offers delete due to 6
