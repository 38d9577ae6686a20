# Where the time to tell has passed its owner is told at once, and then has the grace.

config channel
policy review ttl=4h warn_before=1h
namespace review-1 created=@-1d

+0s     expect stale
+0s     expect task notify
+10m    expect guard notice waits
+0s     a notice is intended
+0s     the notice is undeliverable
+10m59.999s expect no task
+0.001s expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @-20:00:00 by its policy
     0:00:00 2. unknown -> stale [@-20:00:00]: it has lived for 1 day of the 4 hours that policy `review` gives it
     0:00:00    writes managed=true, namespace=review-1, status=stale, status_finalize_at=@-20:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     0:00:00 3. the status of entry 2 is seen
     0:00:00    offers notify due to 1
     0:10:00 4. notice about stale on chat: deletion @-20:00:00, promised not before @0:20:00
     0:10:00 5. notice 4 undeliverable: nobody is known
     0:10:00    offers nothing
     0:21:00    offers delete due to 2
