# One notice that is refused for its form again and again says nothing of the channel: the next one that is refused is given up at once.

config channel
policy review ttl=4h warn_before=1h visible_for=0
namespace review-1

+2h     the same other notice is refused for its form
+30s    the same other notice is refused for its form
+1m     the same other notice is refused for its form
+0s     expect channel failing
+58m30s a notice is intended
+0s     a try is refused for its form
+0s     expect channel failing
+0s     expect no task
+1h     expect stale
+0s     expect guard notice clear
+0s     expect unforetold

---
     0:00:00 1. adopted under review (enforce); ends @4:00:00 by its policy
     0:00:00 2. unknown -> ok [@4:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@4:00:00, status_timeframe=4 hours, status_timestamp=@0:00:00
     3:00:00    offers notify due to 1
     3:00:00 3. notice about stale on chat: deletion @4:00:00, promised not before @4:00:00
     3:00:00 4. notice 3 undeliverable: it answered 400 Bad Request
     3:00:00    offers nothing
     4:00:00 5. ok -> stale [@4:00:00]: it has lived for 4 hours of the 4 hours that policy `review` gives it
     4:00:00    writes status=stale, status_timestamp=@4:00:00
