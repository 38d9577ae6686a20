# A keep request holds back the deletion of what has failed, and its owner is told of the later date.

config channel prometheus=30s
policy review ttl=1d settling_period=0 grace_period=0
namespace review-1

+0s    health fails
+30s   expect failed
+0s    a notice is intended
+0s    the notice is sent
+1m    owner keep_until=@2h
+0s    expect task notify
+0s    a notice is intended
+58m   expect guard keep waits
+62m   expect guard keep clear
+31s   expect task delete

---
     0:00:00 1. adopted under review (enforce); ends @24:00:00 by its policy
     0:00:00 2. unknown -> unstable [@0:00:00]: alert `Down` fires
     0:00:00 3. unstable -> failing [@0:00:00]: it has been unstable for 0 seconds: alert `Down` fires
     0:00:00 4. failing -> failed [@0:10:00]: it has been failing for 0 seconds: alert `Down` fires
     0:00:00    writes failing_resources=[{"labels":{"alertname":"Down"}}], managed=true, namespace=review-1, status=failed, status_timestamp=@0:00:00
     0:00:00 5. the status of entry 4 is seen
     0:00:00    offers notify due to 4
     0:00:30 6. notice about failed on chat: deletion @0:10:00, promised not before @0:10:30
     0:00:30 7. notice 6 sent
     0:00:30    writes notified_status=failed, notified_timestamp=@0:00:30
     0:00:30    offers nothing
     0:01:30 8. kept until @2:00:00 (asked for `@2:00:00`)
     0:01:30    offers notify due to 8
     0:01:30 9. notice about failed skipped, deletion @2:00:00: its owner was told lately
     0:01:30    offers nothing
     2:00:00    offers delete due to 4
