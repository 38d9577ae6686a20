# A name of the system is never managed, whatever matches it.

policy everything ttl=10s names=.*
namespace kube-system protect=no

+1d     expect nothing after 0
+0s     expect no task

---
