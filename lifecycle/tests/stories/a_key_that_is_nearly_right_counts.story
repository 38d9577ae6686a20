# What nearly is `keep_until` or `protect` counts as the one it resembles, before anybody recorded it too; of several keys the longest request.

policy review ttl=1h max_keep=1d
namespace review-1 keep-until=@2h

+2h     expect task delete
+0s     expect guard object-keep clear
+0s     owner keep_until=@3h
+0s     expect no task
+0s     owner keepUntil=@1h
+0s     expect guard object-keep waits
+1h     expect task delete
+0s     clock unknown
+0s     owner KEEP_UNTIL=@9h
+0s     expect task delete
+0s     expect guard object-keep waits
+0s     expect worker turns back
+0s     owner removes KEEP_UNTIL
+0s     owner Protected=no
+0s     expect guard protect refuses
+0s     expect guard object-protect refuses
+0s     owner removes Protected
+0s     clock known
+0s     expect task delete
+0s     expect guard object-protect clear

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. kept until @2:00:00 (asked for `@2:00:00`)
     0:00:00 3. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 4. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 5. the status of entry 4 is seen
     2:00:00    offers delete due to 4
     2:00:00 6. kept until @3:00:00 (asked for `@3:00:00`)
     2:00:00    offers nothing
     3:00:00    offers delete due to 4
     3:00:00 7. protected
     3:00:00    offers nothing
     3:00:00 8. no longer protected
     3:00:00    offers delete due to 4
