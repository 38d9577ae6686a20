# A policy enforces only where the whole configuration does.

config observe
policy review ttl=1h mode=enforce
namespace review-1

+2h     expect task delete
+0s     expect worker turns back
+0s     expect guard mode refuses
+0s     config enforce
+0s     expect guard mode clear
+0s     policy review ttl=1h mode=observe
+0s     expect guard mode refuses

---
     0:00:00 1. adopted under review (observe); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     2:00:00 5. policy is now review (enforce)
     2:00:00 6. policy is now review (observe)
