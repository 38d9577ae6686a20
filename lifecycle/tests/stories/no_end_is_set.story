# Without a ttl of the policy or its owner a namespace lives for ever, and what its owner sets is honoured.

policy review
namespace review-1

+500w   expect ok
+0s     owner expires_at=@90000h
+0s     expect ok
+6000h  expect stale
+0s     owner removes expires_at
+0s     expect ok

---
     0:00:00 1. adopted under review (enforce); nothing sets an end
     0:00:00 2. unknown -> ok: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_timestamp=@0:00:00
 84000:00:00 3. moved by its owner: ends @90000:00:00 by expires_at `@90000:00:00`
 84000:00:00    writes status_finalize_at=@90000:00:00, status_timeframe=10 years, 14 weeks and 2 days
 90000:00:00 4. ok -> stale [@90000:00:00]: it has lived for 10 years, 14 weeks and 2 days of the 10 years, 14 weeks and 2 days that its owner's annotation `2036-04-12T00:00:00Z` gives it
 90000:00:00    writes status=stale, status_timestamp=@90000:00:00
 90000:00:00 5. the status of entry 4 is seen
 90000:00:00 6. moved by its owner: nothing sets an end
 90000:00:00 7. stale -> unknown: it has lived for 10 years, 14 weeks and 2 days and nothing sets an end
 90000:00:00 8. unknown -> ok: its health is not checked
 90000:00:00    writes status=ok, no status_finalize_at, no status_timeframe
