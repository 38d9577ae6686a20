# An empty annotation or label is an absent one: the policy's ttl counts, and no label matches.

policy review ttl=1h label=team:a
namespace review-1 label:team= ttl= keep_until=

+0s     expect unknown
+0s     expect nothing after 0
+0s     label team=a
+0s     expect ok
+1h     expect stale
+5s     expect task delete
+0s     expect guard object-keep clear
+0s     label cicd.skao.int/author=
+0s     owner keep_until=
+0s     expect task delete
+0s     label team=
+0s     expect nothing after 5

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
     1:00:00 3. ok -> stale [@1:00:00]: it has lived for 1 hour of the 1 hour that policy `review` gives it
     1:00:00    writes status=stale, status_timestamp=@1:00:00
     1:00:00 4. the status of entry 3 is seen
     1:00:05    offers delete due to 3
     1:00:05 5. released: no policy applies to it any more
     1:00:05    writes no managed, no namespace, no status, no status_finalize_at, no status_timeframe, no status_timestamp
     1:00:05    offers nothing
