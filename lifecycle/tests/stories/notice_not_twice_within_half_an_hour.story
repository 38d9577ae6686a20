# A notice stands for a deadline that moves within half an hour after it, with its promise; later ones are told of.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     a notice is intended
+0s     the notice is sent
+29m    policy review ttl=200m warn_before=1h visible_for=0
+0s     expect stale
+0s     expect task notify
+0s     a notice is intended
+0s     expect guard notice clear
+0s     expect guard promise waits
+1m     policy review ttl=205m warn_before=1h visible_for=0
+0s     expect task notify
+0s     a notice is intended
+0s     expect guard notice waits
+0s     the notice is sent
+30m    expect no task
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
     3:29:00 5. policy is now review (enforce)
     3:29:00 6. moved by its policy: ends @3:20:00 by its policy
     3:29:00 7. ok -> stale [@3:20:00]: it has lived for 3 hours and 29 minutes of the 3 hours and 20 minutes that policy `review` gives it
     3:29:00    writes no notified_status, no notified_timestamp, status=stale, status_finalize_at=@3:20:00, status_timeframe=3 hours and 20 minutes, status_timestamp=@3:29:00
     3:29:00    offers notify due to 6
     3:29:00 8. notice about stale skipped, deletion @3:20:00: its owner was told lately
     3:29:00    offers nothing
     3:30:00 9. policy is now review (enforce)
     3:30:00 10. moved by its policy: ends @3:25:00 by its policy
     3:30:00    writes status_finalize_at=@3:25:00, status_timeframe=3 hours and 25 minutes
     3:30:00    offers notify due to 10
     3:30:00 11. notice about stale on chat: deletion @3:25:00, promised not before @3:40:00
     3:30:00 12. notice 11 sent
     3:30:00    writes notified_status=stale, notified_timestamp=@3:30:00
     3:30:00    offers nothing
     4:01:00    offers delete due to 7
