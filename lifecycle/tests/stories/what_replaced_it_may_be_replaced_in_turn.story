# What replaced it may be replaced itself before it is deleted. It is superseded by what does so now, and its owner is not told
# twice: the worker that deletes it checks what the history names.

config channel
policy review ttl=1d superseded=newer-ready
namespace review-1

+1h   a newer deployment is ok
+0s   expect superseded
+1s   a notice is intended
+0s   the notice is sent
+30s  a still newer deployment is ok instead
+0s   expect superseded
+0s   a notice is intended
+29s  expect no task
+5s   expect task delete

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
     1:00:31 7. superseded -> unknown: what replaced it does so no more, but another does
     1:00:31 8. unknown -> superseded [@1:00:36]: job `3` deployed the same branch later, as `review-3`
     1:00:31    writes no notified_status, no notified_timestamp, status_finalize_at=@1:00:36, status_timestamp=@1:00:31
     1:00:31 9. the status of entry 8 is seen
     1:00:31    offers notify due to 8
     1:00:31 10. notice about superseded skipped, deletion @1:00:36: its owner was told lately
     1:00:31    offers nothing
     1:01:05    offers delete due to 8
