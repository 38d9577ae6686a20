# A notice that was given up is sent anew when deletions are to wait for it.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     a notice is intended
+0s     a try finds no recipient
+1h     expect guard notice clear
+0s     config on_undeliverable=wait
+0s     expect guard notice waits
+0s     expect task notify
+0s     a notice is intended
+0s     a try is accepted
+0s     expect guard notice clear
+0s     expect foretold

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 4. notice 3 undeliverable: it answered 410 Gone
     3:00:00    offers nothing
     4:00:00 5. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes status=stale, status_timestamp=@4:00:00
     4:00:00 6. policy is now review (enforce)
     4:00:00    offers notify due to 1
     4:00:00 7. notice about stale on chat: deletion @4:00:00, promised not before @4:10:00
     4:00:00 8. notice 7 sent
     4:00:00    writes notified_status=stale, notified_timestamp=@4:00:00
     4:00:00    offers nothing
