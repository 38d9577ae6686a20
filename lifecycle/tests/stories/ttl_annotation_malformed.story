# A ttl that cannot be read counts as the longest allowed, never as something shorter than its owner asked for.

policy review ttl=1h max_ttl=1d
namespace review-1

+0s     turn
+1s     owner ttl=two weeks
+23h59m58s expect ok
+1s     expect stale
+0s     owner ttl=2w
+0s     expect stale
+1s     policy review ttl=1h
+0s     expect ok
+1s     owner ttl=two weeks
+10000w expect ok

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:00:01 3. moved by its owner: ends @24:00:00 by ttl `two weeks`
     0:00:01    writes status_finalize_at=@24:00:00, status_timeframe=1 day
    24:00:00 4. ok -> stale [@24:00:00]: it has lived for 1 day of the 1 day that its owner's annotation `two weeks` gives it
    24:00:00    writes status=stale, status_timestamp=@24:00:00
    24:00:00 5. the status of entry 4 is seen
    24:00:00 6. moved by its owner: ends @24:00:00 by ttl `2w`
    24:00:01 7. policy is now review (enforce)
    24:00:01 8. moved by its policy: ends @336:00:00 by ttl `2w`
    24:00:01 9. stale -> unknown: it has lived for 1 day and 1 second of the 2 weeks that its owner's annotation `2w` gives it
    24:00:01 10. unknown -> ok [@336:00:00]: its health is not checked
    24:00:01    writes status=ok, status_finalize_at=@336:00:00, status_timeframe=2 weeks, status_timestamp=@24:00:01
    24:00:02 11. moved by its owner: nothing sets an end
    24:00:02    writes no status_finalize_at, no status_timeframe
