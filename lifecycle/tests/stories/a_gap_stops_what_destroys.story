# Where an entry is missing nothing destructive is offered, and nothing is judged or written on top of it.

policy review ttl=1h
namespace review-1

+1h5s   expect task delete
+0s     an entry is lost
+0s     owner keep_until=@4h
+0s     expect no task
+0s     owner ttl=9h
+0s     expect guard history refuses
+0s     expect no task

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     1:00:05    offers nothing
