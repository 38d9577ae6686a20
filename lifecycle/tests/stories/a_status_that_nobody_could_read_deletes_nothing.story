# What is about to be deleted shows its status for a while first, on the namespace and not in our record alone. Where others refuse
# that, nothing is deleted; where it was seen, it counts from then on.

policy review ttl=1h visible_for=10s
namespace review-1

+50m    others refuse our annotations
+20m    expect no task
+0s     expect guard visible waits
+0s     others allow our annotations
+9s     expect no task
+1s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00 4. the status of entry 3 is not written: the apiserver answered 422: not here
     1:10:00    writes status=stale, status_timestamp=@1:00:00
     1:10:00 5. the status of entry 3 is seen
     1:10:10    offers delete due to 3
