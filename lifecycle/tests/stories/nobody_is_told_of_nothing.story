# Where a status leads to no deletion nobody is told of one.

config channel
policy review ttl=1h delete=no
namespace review-1

+2h     expect stale
+0s     expect no task
+0s     policy review ttl=1h
+0s     expect task notify

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     2:00:00 4. policy is now review (enforce)
     2:00:00 5. the status of entry 3 is seen
     2:00:00    offers notify due to 1
