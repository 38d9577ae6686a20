# A keep holds the deletion back, not the status, and lets go when its time is over.

policy review ttl=1h
namespace review-1

+30m    owner keep_by=anna
+0s     owner keep_reason=the demo is on Tuesday
+0s     owner keep_until=@4h
+30m    expect stale
+1m     expect guard keep waits
+0s     expect guard object-keep waits
+0s     expect no task
+2h58m59.999s expect no task
+0.001s expect task delete
+0s     expect guard object-keep clear

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:30:00 3. kept until @4:00:00 (asked for `@4:00:00`), by anna, for the demo is on Tuesday
     1:00:00 4. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 5. the status of entry 4 is seen
     4:00:00    offers delete due to 4
