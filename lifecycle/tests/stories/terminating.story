# Of a namespace that is being deleted nothing is judged, written or planned; whatever its owner writes now.

policy review ttl=1h
namespace review-1

+10m    somebody deletes it
+50m    owner keep_until=@5h
+0s     owner protect=
+0s     expect nothing after 2
+1h     it is gone
+1h     expect no task

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     2:00:00 3. gone
