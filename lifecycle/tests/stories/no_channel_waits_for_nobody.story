# Where no channel is configured there is nobody to tell and nothing waits for it; what was promised before holds.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     expect task notify
+0s     config no-channel
+0s     expect no task
+1h     expect guard notice clear
+0s     expect task delete
+0s     config channel
+0s     expect guard notice waits
+1s     a notice is intended
+0s     the notice is sent
+1m     config no-channel
+0s     expect guard notice clear
+0s     expect guard promise waits
+9m     expect no task
+1m     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. policy is now review (enforce)
     3:00:00    offers nothing
     4:00:00 4. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes status=stale, status_timestamp=@4:00:00
     4:00:00    offers delete due to 4
     4:00:00 5. policy is now review (enforce)
     4:00:00    offers notify due to 1
     4:00:01 6. notice about stale on chat: deletion @4:00:00, promised not before @4:10:01
     4:00:01 7. notice 6 sent
     4:00:01    writes notified_status=stale, notified_timestamp=@4:00:01
     4:00:01    offers nothing
     4:01:01 8. policy is now review (enforce)
     4:11:01    offers delete due to 4
