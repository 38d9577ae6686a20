# A keep holds for max_keep after its request was first seen; rewriting it while it holds does not move that.

policy review ttl=1h max_keep=1d
namespace review-1 keep_until=@100h

+0s     turn
+20h    owner keep_until=@200h
+3h     owner keep_until=@300h
+59m59.999s owner keep_until=@400h
+0s     expect no task
+0.001s expect task delete
+0s     expect guard object-keep clear
+0s     a worker intends

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. kept until @24:00:00 (asked for `@100:00:00`)
     0:00:00 3. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 4. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 5. the status of entry 4 is seen
    20:00:00 6. kept until @24:00:00 (asked for `@200:00:00`)
    23:00:00 7. kept until @24:00:00 (asked for `@300:00:00`)
23:59:59.999 8. kept until @24:00:00 (asked for `@400:00:00`)
    24:00:00    offers delete due to 4
    24:00:00 9. delete intended, attempt 1 of 4, until @24:00:45
    24:00:00    offers nothing
