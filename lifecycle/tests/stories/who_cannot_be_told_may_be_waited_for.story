# With `on_undeliverable: wait` nothing is deleted before its owner was told, and what waits too long is stalled.

config channel on_undeliverable=wait
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     a notice is intended
+0s     a try is refused for its form
+1h     expect stale
+0s     a try finds no recipient
+15m59s expect not stalled
+1s     expect stalled
+4d     a try is refused by the channel
+0s     expect guard notice waits
+0s     expect task notify
+0s     a try is accepted
+0s     expect foretold
+10m59s expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     4:00:00 4. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes status=stale, status_timestamp=@4:00:00
   100:16:00 5. notice 3 sent, promised not before @100:26:00
   100:16:00    writes notified_status=stale, notified_timestamp=@100:16:00
   100:16:00    offers nothing
   100:27:00    offers delete due to 4
