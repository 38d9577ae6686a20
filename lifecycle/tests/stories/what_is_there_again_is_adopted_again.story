# Its cluster was restored from a backup, or the wrong one was observed when it was recorded as gone: it is managed again. Nothing
# told or promised before counts, nor that it was deleted: its owner is told again, and it goes as one that nobody foretold.

config channel
policy review ttl=4h warn_before=1h visible_for=0 grace=10m
namespace review-1

+3h     a notice is intended
+0s     the notice is sent
+62m    a worker intends
+0s     it is done
+0s     somebody deletes it
+0s     it is gone
+1h     expect no task
+0s     it is there again
+0s     expect guard notice waits
+0s     expect task notify

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 4. notice 3 sent
     3:00:00    writes notified_status=stale, notified_timestamp=@3:00:00
     3:00:00    offers nothing
     4:00:00 5. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes no notified_status, no notified_timestamp, status=stale, status_timestamp=@4:00:00
     4:01:00    offers delete due to 5
     4:02:00 6. delete intended, attempt 1 of 5, until @4:02:45
     4:02:00    offers nothing
     4:02:00 7. attempt 6 done
     4:02:00 8. gone
     5:02:00 9. is there again, and is adopted
     5:02:00 10. unknown -> stale [@4:00:00]: it has lived for 5 hours and 2 minutes of the 4 hours that policy `review` gives it
     5:02:00    writes status_timestamp=@5:02:00
     5:02:00    offers notify due to 9
