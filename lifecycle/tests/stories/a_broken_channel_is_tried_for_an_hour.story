# A channel that is broken as a whole is tried for an hour, while the deletion waits; then it goes on as one that nobody foresaw.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     expect task notify
+1m     a notice is intended
+0s     a try is refused by the channel
+30s    a try is not answered
+30m    a try is refused by the channel
+0s     expect guard notice waits
+29m    expect stale
+29s    expect not stalled
+0s     a try is refused by the channel
+0s     expect guard notice waits
+0s     expect worker turns back
+1s     a try is refused by the channel
+0s     expect guard notice clear
+0s     expect unforetold
+0s     expect guard promise waits
+10m59s expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:01:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     4:00:00 4. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes status=stale, status_timestamp=@4:00:00
     4:01:00 5. notice 3 undeliverable, promised not before @4:11:00: it answered 401 Unauthorized
     4:01:00    offers nothing
     4:12:00    offers delete due to 4
