# An intent whose time ran out is offered again, to be fenced, whatever was requested or configured since.

policy review ttl=1h
namespace review-1

+1h5s   a worker intends
+44.999s expect no task
+0.001s expect task delete
+0s     owner protect=
+0s     expect task delete
+0s     no-policy
+0s     expect task delete
+0s     it is fenced
+0s     expect no task

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
     1:00:50    offers delete due to 3
     1:00:50 6. protected
     1:00:50 7. attempt 5 failed, Fenced
     1:00:50 8. released: no policy applies to it any more
     1:00:50    writes no managed, no namespace, no status, no status_finalize_at, no status_timeframe, no status_timestamp
     1:00:50    offers nothing
