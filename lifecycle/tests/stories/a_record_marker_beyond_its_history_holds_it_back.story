# What the record marker on a namespace knows and its history does not was lost. The history goes on, and would catch up with the marker:
# nothing is deleted, and nobody told of it, until somebody trusts the store.

policy review ttl=1h
namespace review-1

+1m     its marker is beyond its history
+0s     owner ttl=30m
+1h     expect no task
+0s     expect guard history refuses
+0s     somebody trusts the store
+0s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:01:00 3. its marker does not agree: it carries the marker of entry 7, but the history ends at 2
     0:01:00 4. moved by its owner: ends @0:30:00 by ttl `30m`
     0:01:00    writes status_finalize_at=@0:30:00, status_timeframe=30 minutes
     0:30:00 5. ok -> stale [@0:30:00]: it has lived for 30 minutes of the 30 minutes that its owner's annotation `30m` gives it
     0:30:00    writes status=stale, status_timestamp=@0:30:00
     0:30:00 6. the status of entry 5 is seen
     1:01:00 7. its marker is trusted
     1:01:00    offers delete due to 5
