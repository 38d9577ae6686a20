# What the CI system wrote is recorded at adoption, so that the history answers for the namespace when it is gone.

policy review ttl=1h
namespace review-1 label:cicd.skao.int/author=anna label:cicd.skao.int/team= label:cicd.skao.int/jobId=7 label:team=a

+0s     expect ok

---
     0:00:00 1. adopted under review (enforce); ends @1:00:00 by its policy, author anna, jobId 7
     0:00:00 2. unknown -> ok [@1:00:00]: its health is not checked
     0:00:00    writes managed=true, namespace=review-1, status=ok, status_finalize_at=@1:00:00, status_timeframe=1 hour, status_timestamp=@0:00:00
