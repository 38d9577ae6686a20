# In observe mode what would have been done is recorded once per status generation, and nothing is sent or told.

config observe channel
policy review ttl=1h
namespace review-1

+1h     expect stale
+4.999s expect no task
+0.001s expect task delete
+0s     expect worker turns back
+0s     a worker would have
+100h   expect no task
+0s     owner ttl=200h
+0s     expect ok
+0s     owner ttl=2h
+5s     expect task delete
+0s     a worker would have
+0s     expect no task

---
     0:00:00 1. adopted under review (observe); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     1:00:05 5. would delete: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:05    offers nothing
   101:00:05 6. moved by its owner: ends @200:00:00 by ttl `200h`
   101:00:05 7. stale -> unknown: it has lived for 4 days, 5 hours and 5 seconds of the 1 week, 1 day and 8 hours that its owner's annotation `200h` gives it
   101:00:05 8. unknown -> ok [@200:00:00]: its health is not checked
   101:00:05    writes status=ok, status_finalize_at=@200:00:00, status_timeframe=1 week, 1 day and 8 hours, status_timestamp=@101:00:05
   101:00:05 9. moved by its owner: ends @2:00:00 by ttl `2h`
   101:00:05 10. ok -> stale [@2:00:00]: it has lived for 4 days, 5 hours and 5 seconds of the 2 hours that its owner's annotation `2h` gives it
   101:00:05    writes status=stale, status_finalize_at=@2:00:00, status_timeframe=2 hours
   101:00:05 11. the status of entry 10 is seen
   101:00:10    offers delete due to 10
   101:00:10 12. would delete: it has lived for 4 days, 5 hours and 5 seconds of the 2 hours that its owner's annotation `2h` gives it
   101:00:10    offers nothing
