# What is told late moves its deletion later: its owner has the grace from then on, and it was foretold.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     a notice is intended
+0s     a try is refused by the channel
+59m30s a try is accepted
+30s    expect stale
+0s     expect guard notice clear
+0s     expect foretold
+0s     expect guard promise waits
+10m29s expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:59:30 4. notice 3 sent, promised not before @4:09:30
     3:59:30    writes notified_status=stale, notified_timestamp=@3:59:30
     3:59:30    offers nothing
     4:00:00 5. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes no notified_status, no notified_timestamp, status=stale, status_timestamp=@4:00:00
     4:10:30    offers delete due to 5
