# After a refusal the deletion is offered when the pause is over, and a new status generation begins without one.

policy review ttl=1h visible_for=0
namespace review-1

+1h     a worker intends
+1s     it is refused until 10m
+9m59.999s expect no task
+0s     expect guard backoff waits
+0.001s expect task delete
+0s     a worker intends
+1s     it is skipped budget 5m
+1m     expect no task
+1m     owner ttl=63h
+0s     owner removes ttl
+0s     expect stale
+0s     expect task delete
+0s     a worker intends
+1s     it is skipped busy
+0s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00    offers delete due to 3
     1:00:00 4. delete intended, attempt 1 of 3, until @1:00:45
     1:00:00    offers nothing
     1:00:01 5. attempt 4 failed, Refused, again @1:10:01
     1:10:01    offers delete due to 3
     1:10:01 6. delete intended, attempt 2 of 3, until @1:10:46
     1:10:01    offers nothing
     1:10:02 7. attempt 6 skipped, budget, again @1:15:02
     1:12:02 8. moved by its owner: ends @63:00:00 by ttl `63h`
     1:12:02 9. stale -> unknown: it has lived for 1 hour, 12 minutes and 2 seconds of the 2 days and 15 hours that its owner's annotation `63h` gives it
     1:12:02 10. unknown -> ok [@63:00:00]: its health is not checked
     1:12:02    writes status=ok, status_finalize_at=@63:00:00, status_timeframe=2 days and 15 hours, status_timestamp=@1:12:02
     1:12:02 11. moved by its owner: ends @1:00:00 by its policy
     1:12:02 12. ok -> stale [@1:00:00]: it has lived for 1 hour, 12 minutes and 2 seconds of the 1 hour that policy `review` gives it
     1:12:02    writes status=stale, status_finalize_at=@1:00:00, status_timeframe=1 hour
     1:12:02    offers delete due to 12
     1:12:02 13. delete intended, attempt 1 of 12, until @1:12:47
     1:12:02    offers nothing
     1:12:03 14. attempt 13 skipped, busy
     1:12:03    offers delete due to 12
