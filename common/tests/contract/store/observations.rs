//! What was observed of namespaces: the last of each, and nothing else.

use common::store::Observed;
use lifecycle::{Uid, health::Streak};

use super::{Bench, at};

fn observed(second: u64) -> Observed {
    let (fails, is_known) = (second.is_multiple_of(2), true);
    let (since, standing, looked_at) = (at(second), at(second + 1), at(second + 2));
    let health = Some(Streak { status_generation: second, fails, since, status_since: standing, looked_at, is_known });
    Observed { health, repaired_at: Some(looked_at), malformed: Some(i64::MIN), pods_listed_at: Some(looked_at) }
}

pub(crate) async fn what_was_observed_last_is_read_as_it_was_put(bench: &impl Bench) {
    let store = bench.open().await;
    let [one, other, none] = ["u.1", "u.2", "u.3"].map(Uid::new);
    for (uid, second) in [(&one, 1), (&other, 2), (&one, 3), (&one, 2)] {
        store.put_observation(uid, &observed(second)).await.unwrap();
    }
    store.put_observation(&other, &Observed::default()).await.unwrap();
    assert_eq!(store.observation(&one).await.unwrap(), Some(observed(2)));
    assert_eq!(bench.open().await.observation(&other).await.unwrap(), Some(Observed::default()));
    assert_eq!(store.observation(&none).await.unwrap(), None);
}

pub(crate) async fn what_a_later_version_observed_does_not_hinder_reading(bench: &impl Bench) {
    let store = bench.open().await;
    let uid = Uid::new("u");
    let mut later = serde_json::to_value(observed(1)).unwrap();
    later["health"]["later"] = true.into();
    later["pipeline"] = "gone".into();
    bench.plant_observation(&uid, &later).await;
    assert_eq!(store.observation(&uid).await.unwrap(), Some(observed(1)));
    // One that cannot be read restarts timers, and is replaced.
    bench.plant_observation(&uid, &serde_json::json!({"health": "unwell"})).await;
    assert_eq!(store.observation(&uid).await.unwrap(), None);
    store.put_observation(&uid, &observed(2)).await.unwrap();
    assert_eq!(store.observation(&uid).await.unwrap(), Some(observed(2)));
}
