# The namespace shows of what its owner was told and when it was sent, for as long as its status stands.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+3h     a notice is intended
+10s    the notice is sent
+10m    owner ttl=5h
+50m    a notice is intended
+0s     the notice is undeliverable
+1h     expect stale
+0s     owner ttl=8h
+2h     a notice is intended
+1h     expect stale
+5s     the notice is sent

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:10 4. notice 3 sent
     3:00:10    writes notified_status=stale, notified_timestamp=@3:00:10
     3:00:10    offers nothing
     3:10:10 5. moved by its owner: ends @5:00:00 by ttl `5h`
     3:10:10    writes status_finalize_at=@5:00:00, status_timeframe=5 hours
     4:00:00    offers notify due to 5
     4:00:10 6. notice about stale on chat: deletion @5:00:00, promised not before @5:00:00
     4:00:10 7. notice 6 undeliverable: nobody is known
     4:00:10    offers nothing
     5:00:00 8. ok -> stale [@5:00:00]: it has lived for 5 hours of the 5 hours that its owner's annotation `5h` gives it
     5:00:00    writes no notified_status, no notified_timestamp, status=stale, status_timestamp=@5:00:00
     5:00:10 9. moved by its owner: ends @8:00:00 by ttl `8h`
     5:00:10 10. stale -> unknown: it has lived for 5 hours and 10 seconds of the 8 hours that its owner's annotation `8h` gives it
     5:00:10 11. unknown -> ok [@8:00:00]: its health is not checked
     5:00:10    writes status=ok, status_finalize_at=@8:00:00, status_timeframe=8 hours, status_timestamp=@5:00:10
     7:00:00    offers notify due to 9
     7:00:10 12. notice about stale on chat: deletion @8:00:00, promised not before @8:00:00
     8:00:00 13. ok -> stale [@8:00:00]: it has lived for 8 hours of the 8 hours that its owner's annotation `8h` gives it
     8:00:00    writes status=stale, status_timestamp=@8:00:00
     8:00:15 14. notice 12 sent, promised not before @8:10:15
     8:00:15    writes notified_status=stale, notified_timestamp=@8:00:15
     8:00:15    offers nothing
