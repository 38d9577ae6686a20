# What was superseded is taken back once everything that replaced it is gone or failed, and not before.

policy review ttl=1d superseded=newer-ready
namespace review-1

+0s   a newer deployment is ok
+0s   expect superseded
+1s   the newer deployment is unstable
+0s   expect superseded
+0s   nobody checks deployments
+0s   expect superseded
+1s   the newer deployment fails
+0s   expect ok
+1m   expect no task

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> superseded [@0:00:05]: job `2` deployed the same branch later, as `review-2`
     0:00:00    writes managed=true, namespace=review-1, status=superseded, status_finalize_at=@0:00:05, status_timeframe=5 seconds, status_timestamp=@0:00:00
     0:00:00 3. the status of entry 2 is seen
     0:00:02 4. superseded -> unknown: it is the newest deployment of its branch
     0:00:02 5. unknown -> ok [@24:00:00]: its health is not checked
     0:00:02    writes status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:02
