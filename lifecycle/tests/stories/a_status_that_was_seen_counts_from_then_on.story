# A GitOps tool that keeps the annotations of a namespace as they were would keep it for ever, were its status to stand there at the end.

policy review ttl=1h visible_for=10s
namespace review-1

+1h     expect no task
+5s     owner removes status
+0s     others refuse our annotations
+5s     expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    writes status=stale
     1:00:10    offers delete due to 3
