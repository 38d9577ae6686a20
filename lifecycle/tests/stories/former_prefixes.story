# What an owner wrote under a prefix we used before protects and keeps still; a former ttl does not count.

config former=old.example/
policy review ttl=1h
namespace review-1

+0s     owner old.example/ttl=9h
+0s     owner old.example/keep_until=@2h
+0s     owner old.example/protect=yes
+1h     expect stale
+1h     expect guard keep clear
+0s     expect guard protect refuses
+0s     expect guard object-protect refuses
+0s     owner old.example/keep_until=@3h
+0s     owner removes old.example/protect
+0s     expect no task
+0s     expect guard object-keep waits
+1h     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:00:00 3. kept until @2:00:00 (asked for `@2:00:00`)
     0:00:00 4. protected
     1:00:00 5. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 6. the status of entry 5 is seen
     2:00:00 7. kept until @3:00:00 (asked for `@3:00:00`)
     2:00:00 8. no longer protected
     3:00:00    offers delete due to 5
