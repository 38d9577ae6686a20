# What a policy says anew counts at once, for namespaces that stand already too, and moves their deadline.

policy review ttl=1h
namespace review-1

+0s     turn
+30m    policy review ttl=2h
+1h     expect ok
+0s     policy review ttl=1h visible_for=0
+0s     expect stale
+0s     expect task delete
+0s     policy review ttl=1h visible_for=0 delete=no
+0s     expect no task
+0s     expect guard status refuses
+0s     policy other ttl=3h label=team:a
+0s     expect stale
+0s     label team=a
+0s     expect ok

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:30:00 3. policy is now review (enforce)
     0:30:00 4. moved by its policy: ends @2:00:00 by its policy
     0:30:00    writes status_finalize_at=@2:00:00, status_timeframe=2 hours
     1:30:00 5. policy is now review (enforce)
     1:30:00 6. moved by its policy: ends @1:00:00 by its policy
     1:30:00 7. ok -> stale [@1:00:00]: it has lived for 1 hour and 30 minutes of the 1 hour that policy `review` gives it
     1:30:00    writes status=stale, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@1:30:00
     1:30:00    offers delete due to 7
     1:30:00 8. policy is now review (enforce)
     1:30:00    offers nothing
     1:30:00 9. policy is now other (enforce)
     1:30:00 10. moved by its policy: ends @3:00:00 by its policy
     1:30:00 11. stale -> unknown: it has lived for 1 hour and 30 minutes of the 3 hours that policy `other` gives it
     1:30:00 12. unknown -> ok [@3:00:00]: its health is not checked
     1:30:00    writes status=ok, status_finalize_at=@3:00:00, status_timeframe=3 hours
