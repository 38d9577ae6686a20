# A warning longer than half the ttl comes at half the ttl.

config channel
policy review ttl=1h warn_before=2h
namespace review-1

+29m59.999s expect no task
+0.001s expect task notify

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     0:30:00    offers notify due to 1
