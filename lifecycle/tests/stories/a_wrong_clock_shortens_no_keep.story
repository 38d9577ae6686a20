# A keep request that was first seen by a clock a year behind holds for what it asks.

policy review ttl=1h
namespace review-1

+2h     expect task delete
+0s     clock jumps -50w and is off
+0s     owner keep_until=@5h
+0s     clock jumps 50w
+0s     expect guard object-keep waits
+0s     expect worker turns back
+0s     clock known
+0s     expect guard keep waits
+0s     expect no task

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
 -8398:00:00    offers nothing
     2:00:00    offers delete due to 3
     2:00:00 5. kept until @5:00:00 (asked for `@5:00:00`)
     2:00:00    offers nothing
