# While it is not known whether our clock is right, no status changes and no timer begins, whatever it shows.

policy review ttl=1h
namespace review-1

+0s     clock unknown
+0s     expect nothing after 0
+0s     clock known
+0s     expect ok
+1s     clock unknown
+2h     expect ok
+0s     expect nothing after 2
+0s     owner ttl=30m
+0s     owner keep_until=@4h
+0s     policy review ttl=20m
+0s     expect nothing after 2
+0s     owner protect=
+0s     expect nothing after 3
+1s     clock off
+0s     owner removes protect
+0s     expect nothing after 4
+1s     clock known
+0s     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     2:00:01 3. protected
     2:00:02 4. no longer protected
     2:00:03 5. kept until @4:00:00 (asked for `@4:00:00`)
     2:00:03 6. policy is now review (enforce)
     2:00:03 7. moved by its owner: ends @0:30:00 by ttl `30m`
     2:00:03 8. ok -> stale [@0:30:00]: it has lived for 2 hours and 3 seconds of the 30 minutes that its owner's annotation `30m` gives it
     2:00:03    writes status=stale, status_finalize_at=@0:30:00, status_timeframe=30 minutes, status_timestamp=@2:00:03
     2:00:03 9. the status of entry 8 is seen
