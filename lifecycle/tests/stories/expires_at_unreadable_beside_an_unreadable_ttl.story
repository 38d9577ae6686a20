# Two mistakes are not worth more than one: beside a ttl that cannot be read either, the policy's counts.

policy review ttl=1h max_keep=2d
namespace review-1 expires_at=soon ttl=7

+47h    expect ok
+1h     expect stale

---
     0:00:00 1. adopted under review (enforce); ends @48:00:00 by expires_at `soon`
     0:00:00 2. unknown -> ok [@48:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@48:00:00, status_timeframe=2 days, status_timestamp=@0:00:00
    48:00:00 3. ok -> stale [@48:00:00]: it has lived for 2 days of the 2 days that its owner's annotation `soon`, which cannot be read, gives it
    48:00:00    writes status=stale, status_timestamp=@48:00:00
    48:00:00 4. the status of entry 3 is seen
