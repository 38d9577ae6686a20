//! How long one call of each of the five functions takes, on a namespace as a CI system makes it,
//! whose health and pipeline are checked.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Actor, Check, Condition, Entry, Keys, LiveObject, Mode, Namespace, Observation, Policies, Policy, Reading, Record,
    Truth, Uid, annotations, decide,
    guards::{PROMISE_MARGIN, guards, object_guards},
    health::{HealthCheck, HealthSample},
    keys::{CI_LABELS, StoreIdentity},
    observe,
    pipeline::CiSystem,
    plan,
    policy::{Common, HealthSources, RawPolicy},
    time::saturating_add,
};

/// How many policies a configuration has that do not apply.
const OTHERS: usize = 9;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn dawn() -> Timestamp {
    Timestamp::constant(1_767_571_200, 0)
}

/// One namespace, what is seen of it, and what is known of it half an hour after its creation.
struct Case {
    policies: Policies,
    reading: Reading,
    seen: Observation,
    record: Record,
    now: Timestamp,
}

impl Case {
    fn new() -> Self {
        let policies = policies();
        let now = saturating_add(dawn(), HOUR / 2);
        let reading = Reading {
            namespace: namespace(&policies.keys),
            clock: Condition {
                truth: Truth::True,
                reason: "our clock agrees with the apiserver's to within 30s".to_owned(),
                observed_at: now,
            },
            health: Check::Observed(HealthCheck {
                look: HealthSample { condition: no("nothing of it fails", now), failing: Vec::new() },
                status_generation: (1, now),
                every: SignedDuration::from_mins(1),
            }),
            supersession: Check::Disabled,
            pipeline: Check::Observed(no("pipeline 46 of project group/app-7 has the status `success`", now)),
        };
        let seen = observe(None, reading.clone(), now);
        let record = settled(&policies, Record::new(seen.namespace.uid.clone()), &seen, now);
        Self { policies, reading, seen, record, now }
    }

    /// The same, once its time is over and that is recorded.
    fn expired(mut self) -> Self {
        self.now = saturating_add(dawn(), HOUR);
        self.seen.clock.observed_at = self.now;
        self.record = settled(&self.policies, self.record, &self.seen, self.now);
        // Its status stood long enough to be read.
        self.now = saturating_add(self.now, HOUR);
        self
    }

    fn policy(&self) -> &Policy {
        self.policies.for_namespace(&self.seen.namespace).expect("a policy matches the label")
    }
}

/// What one check found not to be so.
fn no(reason: &str, at: Timestamp) -> Condition {
    Condition { truth: Truth::False, reason: reason.to_owned(), observed_at: at }
}

fn policies() -> Policies {
    let others = (0..OTHERS)
        .map(|number| format!(r#"{{"name": "other-{number}", "match": {{"names": ["other-{number}-.*"]}}}}"#));
    let ours = r#"{"name": "ci", "match": {"all": [{"labels": {"created-by": "pipeline"}}]}, "ttl": "1h"}"#;
    let raw: Vec<RawPolicy> = others
        .chain([ours.to_owned()])
        .map(|text| serde_json::from_str(&text).expect("the policy was written by hand"))
        .collect();
    let common = Common {
        mode: Mode::Enforce,
        keys: Keys::default(),
        exclude: &[],
        has_channel: false,
        sources: HealthSources { prometheus: true, ..HealthSources::NONE },
        ci: &[CiSystem::Gitlab],
        promise_margin: PROMISE_MARGIN,
    };
    Policies::new(&raw, &common).expect("the policies were written by hand")
}

fn namespace(keys: &Keys) -> Namespace {
    let mut labels: BTreeMap<_, _> = CI_LABELS.iter().map(|key| (keys.of_ci(key), format!("some-{key}"))).collect();
    labels.insert("created-by".to_owned(), "pipeline".to_owned());
    Namespace {
        uid: Uid::new("1f0e0c9a-3a3b-4a57-9d4e-2a3d1f2b7c11"),
        name: "ci-project-412345-deploy".to_owned(),
        resource_version: "123456".to_owned(),
        created: dawn(),
        deleted: None,
        ending: None,
        labels,
        annotations: BTreeMap::new(),
    }
}

/// Decides and folds until nothing is left to decide, as a collector does.
fn settled(policies: &Policies, mut record: Record, seen: &Observation, now: Timestamp) -> Record {
    while let Some(event) = decide(policies.for_namespace(&seen.namespace), &record, seen, now).entry {
        let seq = record.head + 1;
        record.fold(&Entry {
            uid: seen.namespace.uid.clone(),
            seq,
            at: now,
            actor: Actor::role("collector", "bench"),
            name: seen.namespace.name.clone(),
            token: String::new(),
            event,
        });
    }
    record
}

fn functions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("domain");
    group.throughput(Throughput::Elements(1));
    let case = Case::new();
    of_everyday(&mut group, &case);
    of_the_end(&mut group, &case.expired());
    group.finish();
}

/// What a collector calls whenever something of a namespace changes, where nothing follows from it.
fn of_everyday(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case) {
    let Case { policies, reading, seen, record, now } = case;
    group.bench_function("observe", |bencher| {
        bencher.iter_batched(
            || (Some(seen.clone()), reading.clone()),
            |(seen, reading)| observe(seen, reading, *now),
            criterion::BatchSize::SmallInput,
        );
    });
    group.bench_function("match 1 of 10 policies", |bencher| {
        bencher.iter(|| policies.for_namespace(black_box(&seen.namespace)).map(|policy| policy.name.len()));
    });
    let policy = case.policy();
    group.bench_function("decide: nothing", |bencher| {
        bencher.iter(|| decide(Some(policy), black_box(record), black_box(seen), *now));
    });
    let new = Record::new(seen.namespace.uid.clone());
    group.bench_function("decide: adoption", |bencher| {
        bencher.iter(|| decide(Some(policy), black_box(&new), black_box(seen), *now));
    });
    group.bench_function("plan: not yet", |bencher| {
        bencher.iter(|| plan(Some(policy), black_box(record), *now));
    });
    group.bench_function("mirror", |bencher| bencher.iter(|| annotations(black_box(record), black_box(seen))));
}

/// What is called once its time is over.
fn of_the_end(group: &mut BenchmarkGroup<'_, WallTime>, case: &Case) {
    let Case { seen, record, now, .. } = case;
    let policy = case.policy();
    group.bench_function("plan: deletion", |bencher| {
        bencher.iter(|| plan(Some(policy), black_box(record), *now));
    });
    group.bench_function("guards: on the record", |bencher| {
        bencher.iter(|| guards(policy, black_box(record), *now));
    });
    let store_identity = StoreIdentity::default();
    let fresh = LiveObject { namespace: &seen.namespace, policy: Some(policy), store_identity: &store_identity };
    group.bench_function("guards: on the object", |bencher| {
        bencher.iter(|| object_guards(policy, black_box(record), black_box(&fresh), *now));
    });
}

criterion_group!(benches, functions);
criterion_main!(benches);
