# An end that cannot be read counts as no less than what its owner asked for before, and than the end without it.

policy review ttl=1h max_keep=2d
namespace review-1 expires_at=@100h

+1h     owner expires_at=100 h
+98h    expect ok
+59m59s owner ttl=101h
+1h     expect ok
+1s     expect stale
+0s     policy review max_keep=2d
+0s     owner removes ttl
+1s     expect ok

---
     0:00:00 1. adopted under review (enforce); ends @100:00:00 by expires_at `@100:00:00`
     0:00:00 2. unknown -> ok [@100:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@100:00:00, status_timeframe=4 days and 4 hours, status_timestamp=@0:00:00
     1:00:00 3. moved by its owner: ends @100:00:00 by expires_at `100 h`
    99:59:59 4. moved by its policy: ends @101:00:00 by expires_at `100 h`
    99:59:59    writes status_finalize_at=@101:00:00, status_timeframe=4 days and 5 hours
   101:00:00 5. ok -> stale [@101:00:00]: it has lived for 4 days and 5 hours of the 4 days and 5 hours that its owner's annotation `100 h`, which cannot be read, gives it
   101:00:00    writes status=stale, status_timestamp=@101:00:00
   101:00:00 6. the status of entry 5 is seen
   101:00:00 7. policy is now review (enforce)
   101:00:00 8. moved by its owner: nothing sets an end
   101:00:00 9. stale -> unknown: it has lived for 4 days and 5 hours and nothing sets an end
   101:00:00 10. unknown -> ok: its health is not checked
   101:00:00    writes status=ok, no status_finalize_at, no status_timeframe
