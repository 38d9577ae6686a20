# What a newer deployment of the same branch replaces is superseded, and goes once its owner was told.

config channel
policy review ttl=1d superseded=newer-ready
namespace review-1

+1h   expect ok
+0s   a newer deployment is ok
+0s   expect superseded
+0s   expect task notify
+1s   a notice is intended
+0s   the notice is sent
+0s   expect unforetold
+1m   expect guard visible clear
+3s   expect no task
+1s   expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> ok [@24:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@24:00:00, status_timeframe=1 day, status_timestamp=@0:00:00
     1:00:00 3. ok -> superseded [@1:00:05]: job `2` deployed the same branch later, as `review-2`
     1:00:00    writes status=superseded, status_finalize_at=@1:00:05, status_timeframe=5 seconds, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:00    offers notify due to 3
     1:00:01 5. notice about superseded on chat: deletion @1:00:05, promised not before @1:00:05
     1:00:01 6. notice 5 sent
     1:00:01    writes notified_status=superseded, notified_timestamp=@1:00:01
     1:00:01    offers nothing
     1:01:05    offers delete due to 3
