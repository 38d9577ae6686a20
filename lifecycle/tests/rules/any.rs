//! Anything that could come: from clocks, from strangers' annotations, from stores that were damaged.
//!
//! Instants and texts are drawn from few values most of the time, so that they meet; and from the ends of what there
//! is, some of the time.

mod events;
mod walks;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Check, Condition, Mode, Namespace, Observation, Policies, Truth, Uid,
    health::{Health, HealthSample, Streak},
    pipeline::CiSystem,
    policy::RawPolicy,
    supersession::Supersession,
    time::saturating_add,
};
use proptest::{collection::vec, option::weighted, prelude::*, sample::select, test_runner::RngAlgorithm};
use serde_json::{Value, json};

pub(crate) use events::{any_event, any_history, entries, first, folded, is_in_order, nearly_deletable};
pub(crate) use walks::walk;

use crate::world::{Settings, dawn};

pub(crate) const OLD: &str = "old.example/";

pub(crate) fn cases() -> ProptestConfig {
    // Without optimizations the default generator takes most of the time.
    let rng_algorithm = RngAlgorithm::XorShift;
    ProptestConfig { cases: 256, failure_persistence: None, rng_algorithm, ..ProptestConfig::default() }
}

pub(crate) fn minutes(minutes: i64) -> Timestamp {
    saturating_add(dawn(), SignedDuration::from_mins(minutes))
}

/// Within some hours of the beginning, on the half hour more often than not.
pub(crate) fn near() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        4 => (-4_i64..20).prop_map(|halves| minutes(30 * halves)),
        1 => (-7_200_000_i64..36_000_000)
            .prop_map(|millis| saturating_add(dawn(), SignedDuration::from_millis(millis))),
    ]
}

/// Any instant there is, the first and the last included.
pub(crate) fn instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => near(),
        1 => select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]),
        1 => (Timestamp::MIN.as_millisecond()..=Timestamp::MAX.as_millisecond())
            .prop_map(|millis| Timestamp::from_millisecond(millis).unwrap()),
    ]
}

/// What a stranger may write where a duration or an instant belongs.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let told = vec![
        "",
        " ",
        "0",
        "0s",
        "1h",
        "30m",
        "2h",
        "90 min",
        "1w2d",
        "10s",
        "4H",
        "1.5h",
        "99999999w",
        "900w",
        "-1h",
        "two weeks",
        "2026-01-05T00:30:00Z",
        "2026-01-05T01:00:00Z",
        "2026-01-05T04:00:00+02:00",
        "2026-01-05T02:00:00.0004Z",
        "2026-01-05",
        "2026-01-05 02:00:00.1234567890z",
        "9999-12-31T23:59:60Z",
        "2026-01-05T25:00:00Z",
        "9999-12-30T22:00:00Z",
        "-009999-01-02T02:00:00Z",
        "true",
        "no",
        "\u{0}\u{1}",
        "<b>&\"'",
        "\u{202e}\u{feff}",
        "1.2",
        "7.99999999999999999999",
    ];
    prop_oneof![
        6 => select(told).prop_map(str::to_owned),
        1 => vec(any::<char>(), 0..6).prop_map(String::from_iter),
        1 => long(),
    ]
}

/// What a stranger may write to fill our store.
pub(crate) fn long() -> impl Strategy<Value = String> {
    (select(vec!["\u{1}", "9", "ä", "1h", "💥"]), select(vec![128_usize, 255, 257, 1_400]))
        .prop_map(|(text, times)| text.repeat(times))
}

fn some<V: Clone + std::fmt::Debug + 'static>(
    keys: Vec<String>,
    value: impl Strategy<Value = V>,
    most: usize,
) -> impl Strategy<Value = BTreeMap<String, V>> {
    vec((select(keys), value), 0..=most).prop_map(BTreeMap::from_iter)
}

pub(crate) fn any_annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    let keys = [
        "ttl",
        "expires_at",
        "keep_until",
        "keep_by",
        "keep_reason",
        "protect",
        "record",
        "status",
        "fence",
        "Protected",
        "keep-until",
        "expires-at",
    ];
    let keys = lifecycle::Keys::default()
        .prefix
        .lines()
        .chain([OLD])
        .flat_map(|prefix| keys.map(|key| format!("{prefix}{key}")))
        .collect();
    some(keys, text(), 5)
}

pub(crate) fn namespace() -> impl Strategy<Value = Namespace> {
    let labels = ["team", "cicd.skao.int/author", "cicd.skao.int/projectId", "other"].map(str::to_owned).to_vec();
    let values = select(vec!["", "a", "b"]).prop_map(str::to_owned);
    (
        select(vec!["uid-1", "uid-1", "uid-1", "uid-2"]),
        select(vec!["review-1", "review-1", "other", "kube-system"]),
        instant(),
        weighted(0.1, instant()),
        some(labels, values, 3),
        any_annotations(),
    )
        .prop_map(|(uid, name, created, deleted, labels, annotations)| Namespace {
            uid: Uid::new(uid),
            name: name.to_owned(),
            resource_version: "1".to_owned(),
            created,
            deleted,
            ending: None,
            labels,
            annotations,
        })
}

pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    let truth = select(vec![Truth::True, Truth::True, Truth::True, Truth::False, Truth::Unknown]);
    (truth, instant()).prop_map(|(truth, observed_at)| Condition { truth, reason: "a sample".to_owned(), observed_at })
}

/// Any state of a check of health: disabled, pending, and any streak that a check left behind.
pub(crate) fn health() -> impl Strategy<Value = Check<Health>> {
    let streak = (0..9_u64, any::<bool>(), instant(), instant(), instant(), any::<bool>());
    let seen = (condition(), streak).prop_map(
        |(condition, (status_generation, fails, since, standing, looked_at, is_known))| {
            let streak = Streak { status_generation, fails, since, status_since: standing, looked_at, is_known };
            Check::Observed(Health { look: HealthSample { condition, failing: Vec::new() }, streak })
        },
    );
    prop_oneof![1 => Just(Check::Disabled), 1 => Just(Check::Pending), 6 => seen]
}

/// Any state of the check whether newer deployments replace it.
fn supersession() -> impl Strategy<Value = Check<Supersession>> {
    let seen = (condition(), any::<bool>()).prop_map(|(condition, holds)| {
        Check::Observed(Supersession { holds: holds || condition.is_true(), condition, successors: Vec::new() })
    });
    prop_oneof![1 => Just(Check::Disabled), 1 => Just(Check::Pending), 4 => seen]
}

pub(crate) fn observation() -> impl Strategy<Value = Observation> {
    let pipeline = prop_oneof![
        1 => Just(Check::Disabled), 1 => Just(Check::Pending), 4 => condition().prop_map(Check::Observed),
    ];
    (namespace(), condition(), health(), supersession(), pipeline).prop_map(
        |(namespace, clock, health, supersession, pipeline)| Observation {
            namespace,
            clock,
            health,
            supersession,
            pipeline,
        },
    )
}

/// Configurations that differ in everything a decision can depend on, each with two policies.
static CONFIGURATIONS: LazyLock<Vec<Arc<Policies>>> = LazyLock::new(|| {
    let policy = |policy: Value| -> RawPolicy { serde_json::from_value(policy).unwrap() };
    let mut all = Vec::new();
    for (at, more) in [
        json!({ "ttl": "1h", "visible_for": 0 }),
        json!({ "ttl": "1h", "max_ttl": "2h", "warn_before": "30m", "on": { "stale": { "grace": "5m" } } }),
        json!({ "ttl": "2h", "max_keep": "1h", "visible_for": "30m" }),
        json!({ "max_ttl": "3h", "checks": { "settling_period": 0, "grace_period": "12h", "recover_after": 1 } }),
        json!({ "ttl": "1h", "checks": { "superseded": {} }, "on": { "superseded": { "grace": "5m" } } }),
        json!({ "ttl": "1h", "on": { "stale": { "delete": false } } }),
        json!({}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut review = json!({ "name": "review", "match": { "names": ["review-.*"] } });
        review.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let team = json!({
            "name": "team", "match": { "all": [{ "labels": { "team": "a" } }] }, "ttl": "30m", "mode": "observe",
        });
        let raw = [policy(review), policy(team)];
        for (mode, has_channel) in [(Mode::Enforce, true), (Mode::Enforce, false), (Mode::Observe, at % 2 == 0)] {
            let former = if has_channel { vec![OLD.to_owned()] } else { Vec::new() };
            // A policy that asks for nothing is judged by its alerts where Prometheus is configured.
            let prometheus_every = (at % 3 == 0).then(|| SignedDuration::from_hours(6));
            let ci = if at % 2 == 0 { vec![CiSystem::Gitlab] } else { Vec::new() };
            all.push(
                Settings { mode, has_channel, former, prometheus_every, ci, ..Settings::default() }.policies(&raw),
            );
        }
    }
    all
});

pub(crate) fn policies() -> impl Strategy<Value = Arc<Policies>> {
    (0..CONFIGURATIONS.len()).prop_map(|at| CONFIGURATIONS[at].clone())
}
