# A deadline that moves earlier was not foretold before it did; one that moves later was.

policy review ttl=8h
namespace review-1

+3h     policy review ttl=2h
+0s     expect stale
+0s     expect unforetold
+0s     policy review ttl=9h
+6h     expect stale
+0s     expect foretold

---
     0:00:00 1. adopted under review (enforce); ends @8:00:00 by its policy
     0:00:00 2. unknown -> ok [@8:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@8:00:00, status_timeframe=8 hours, status_timestamp=@0:00:00
     3:00:00 3. policy is now review (enforce)
     3:00:00 4. moved by its policy: ends @2:00:00 by its policy
     3:00:00 5. ok -> stale [@2:00:00]: it has lived for 3 hours of the 2 hours that policy `review` gives it
     3:00:00    writes status=stale, status_finalize_at=@2:00:00, status_timeframe=2 hours, status_timestamp=@3:00:00
     3:00:00 6. the status of entry 5 is seen
     3:00:00 7. policy is now review (enforce)
     3:00:00 8. moved by its policy: ends @9:00:00 by its policy
     3:00:00 9. stale -> unknown: it has lived for 3 hours of the 9 hours that policy `review` gives it
     3:00:00 10. unknown -> ok [@9:00:00]: its health is not checked
     3:00:00    writes status=ok, status_finalize_at=@9:00:00, status_timeframe=9 hours
     9:00:00 11. ok -> stale [@9:00:00]: it has lived for 9 hours of the 9 hours that policy `review` gives it
     9:00:00    writes status=stale, status_timestamp=@9:00:00
     9:00:00 12. the status of entry 11 is seen
