# A keep request that the object carries counts before anybody recorded it, also where a former one is over.

policy review ttl=1h max_keep=1d
namespace review-1 keep_until=@2h

+2h     expect task delete
+0s     expect guard object-keep clear
+0s     clock unknown
+0s     owner keep_until=@9h
+0s     expect nothing after 5
+0s     expect task delete
+0s     expect guard object-keep waits

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. kept until @2:00:00 (asked for `@2:00:00`)
     0:00:00 3. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 4. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 5. the status of entry 4 is seen
     2:00:00    offers delete due to 4
