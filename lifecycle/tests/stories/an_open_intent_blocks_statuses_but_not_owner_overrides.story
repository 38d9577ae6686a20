# While an intent is open no status changes and no annotations are written; owner overrides are recorded.

policy review ttl=1h
namespace review-1

+1h5s   a worker intends
+1s     owner ttl=9h
+0s     owner keep_until=@4h
+0s     owner protect=
+0s     expect stale
+0s     expect no task
+1s     policy review ttl=3h
+0s     no-policy
+0s     policy review ttl=3h
+0s     expect nothing after 7
+1s     it is skipped busy
+0s     expect ok

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     1:00:05 5. delete intended, attempt 1 of 3, until @1:00:50
     1:00:05    offers nothing
     1:00:06 6. kept until @4:00:00 (asked for `@4:00:00`)
     1:00:06 7. protected
     1:00:08 8. attempt 5 skipped, busy
     1:00:08 9. policy is now review (enforce)
     1:00:08 10. moved by its owner: ends @9:00:00 by ttl `9h`
     1:00:08 11. stale -> unknown: it has lived for 1 hour and 8 seconds of the 9 hours that its owner's annotation `9h` gives it
     1:00:08 12. unknown -> ok [@9:00:00]: its health is not checked
     1:00:08    writes status=ok, status_finalize_at=@9:00:00, status_timeframe=9 hours, status_timestamp=@1:00:08
