//! `nsm keep` and `nsm protect`, and taking them back: annotations, written with the person's own rights.

use std::{collections::BTreeMap, time::Duration};

use common::{
    cluster::{Cluster, look, patch_annotations},
    config::Settings,
    history,
};
use jiff::{SignedDuration, Timestamp};
use lifecycle::{
    Namespace, Record,
    exclusions::Exclusions,
    keys::{KEEP_BY, KEEP_REASON, KEEP_UNTIL, PROTECT},
    overrides,
    time::{annotation_text, cut_to_millis, saturating_add},
};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    context::{CliContext, cluster_user},
    failure::{Code, Failure},
    output::Output,
    view::results,
};

/// How long the collector is waited for. It sees an annotation by its watch, within a second where it is well.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(5);

const POLL_INTERVAL: Duration = Duration::from_millis(200);

type Annotations = BTreeMap<String, Option<String>>;

/// The outcome of a keep request.
#[derive(Debug, Serialize)]
struct Requested {
    name: String,
    uid: String,
    /// What was written on the namespace; `null` was removed.
    annotations: Annotations,
    /// Whether the manager has recorded it by now. It holds as soon as it is written, either way.
    recorded: bool,
    /// Until when the namespace is kept, as recorded.
    kept_until: Option<Timestamp>,
}

/// Until when a namespace is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeepEnd {
    At(Timestamp),
    In(SignedDuration),
}

impl KeepEnd {
    /// As it is written on the namespace, and recorded: of a length from now on the fraction of a second is cut.
    fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(until) => cut_to_millis(until),
            Self::In(period) => {
                let until = saturating_add(now, period);
                Timestamp::from_second(until.as_second()).unwrap_or(until)
            }
        }
    }
}

/// A namespace that a keep request can still reach, and what is needed to write it.
struct Target<'r> {
    reach: &'r CliContext<'r>,
    screen: &'r Output,
    settings: Settings,
    cluster: Cluster,
    namespace: Namespace,
}

pub(super) async fn keep(
    reach: &CliContext<'_>,
    screen: &Output,
    name: &str,
    end: KeepEnd,
    reason: Option<String>,
) -> Result<(), Failure> {
    is_no_system(name)?;
    let target = Target::find(reach, screen, name).await?;
    target.tell_if_unmanaged();
    let now = target.cluster.clock.now().unwrap_or_else(|| reach.now());
    let until = end.from(now);
    if until <= now {
        return Err(Failure::new(Code::Usage, results::over_already(until)));
    }
    let requested = annotation_text(until);
    let by = cluster_user(&target.cluster).await;
    let keys = &target.settings.policies.keys;
    // It stands for whatever was asked before, under a key that is not quite right too: the longest would count.
    let mut annotations = target.removal(&[KEEP_UNTIL]);
    annotations.extend([
        (keys.ours(KEEP_UNTIL), Some(requested.clone())),
        (keys.ours(KEEP_BY), Some(by)),
        (keys.ours(KEEP_REASON), reason),
    ]);
    let held = |record: &Record| record.kept.as_ref().is_some_and(|kept| kept.requested.as_ref() == Some(&requested));
    let answer = target.write(annotations, held).await?;
    let is_less = answer.kept_until.is_some_and(|allowed| allowed < until);
    screen.answer(&answer, |_| match end {
        KeepEnd::In(period) if !is_less => results::kept_for(name, period, until),
        KeepEnd::In(_) | KeepEnd::At(_) => results::kept(name, answer.kept_until.unwrap_or(until), now),
    })?;
    if is_less {
        screen.note(&results::kept_for_less(until));
    }
    Ok(())
}

pub(super) async fn unkeep(reach: &CliContext<'_>, screen: &Output, name: &str) -> Result<(), Failure> {
    let target = Target::find(reach, screen, name).await?;
    let annotations = target.removal(&[KEEP_UNTIL, KEEP_BY, KEEP_REASON]);
    let answer = target.write(annotations, |record| record.kept.is_none()).await?;
    screen.answer(&answer, |_| results::kept_no_more(name))
}

pub(super) async fn protect(reach: &CliContext<'_>, screen: &Output, name: &str, on: bool) -> Result<(), Failure> {
    if on {
        is_no_system(name)?;
    }
    let target = Target::find(reach, screen, name).await?;
    if on {
        target.tell_if_unmanaged();
    }
    let annotations = if on {
        Annotations::from([(target.settings.policies.keys.ours(PROTECT), Some("true".to_owned()))])
    } else {
        target.removal(&[PROTECT])
    };
    let answer = target.write(annotations, |record| record.protected == on).await?;
    screen.answer(&answer, |_| results::protected(name, on))
}

impl<'r> Target<'r> {
    async fn find(reach: &'r CliContext<'r>, screen: &'r Output, name: &str) -> Result<Self, Failure> {
        let settings = reach.settings()?;
        let cluster = reach.cluster().await?;
        let Some(namespace) = look(&cluster, name, &settings.policies).await? else {
            return Err(Failure::new(Code::NotFound, results::no_such_namespace(name)));
        };
        match namespace.deleted {
            Some(at) => Err(too_late(name, at)),
            None => Ok(Self { reach, screen, settings, cluster, namespace }),
        }
    }

    /// Says so before it is written that nothing would delete it.
    fn tell_if_unmanaged(&self) {
        if !self.is_managed() {
            self.screen.note(results::NOT_MANAGED);
        }
    }

    fn is_managed(&self) -> bool {
        self.settings.policies.for_namespace(&self.namespace).is_some()
    }

    /// Removes the owner overrides under every key that counts as one.
    fn removal(&self, overrides: &[&str]) -> Annotations {
        let keys = &self.settings.policies.keys;
        for label in overrides::labelled(&self.namespace, keys, overrides) {
            let name = &self.namespace.name;
            self.screen.note(&format!(
                "the label `{label}` on `{name}` counts, too, and stays; take it off with \
                 `kubectl label namespace {name} {label}-`"
            ));
        }
        let written = overrides::written(&self.namespace, keys, overrides);
        written.into_iter().map(|key| (key, None)).collect()
    }

    /// Writes a keep request, and waits briefly until it is recorded.
    async fn write(&self, annotations: Annotations, held: impl Fn(&Record) -> bool) -> Result<Requested, Failure> {
        let Namespace { name, uid, .. } = &self.namespace;
        let patched = patch_annotations(&self.cluster, name, uid, &annotations).await?;
        // A deletion that was accepted before this write goes on whatever stands on the namespace.
        if let Some(at) = patched.metadata.deletion_timestamp {
            return Err(too_late(name, at.0));
        }
        let record = self.recorded(held).await;
        Ok(Requested {
            name: name.clone(),
            uid: uid.to_string(),
            annotations,
            recorded: record.is_some(),
            kept_until: record.and_then(|record| record.kept).and_then(|kept| kept.until),
        })
    }

    async fn recorded(&self, held: impl Fn(&Record) -> bool) -> Option<Record> {
        let Namespace { name, uid, .. } = &self.namespace;
        if !self.is_managed() {
            return None;
        }
        if self.reach.remote().is_ok_and(|api| api.is_some()) {
            self.screen.note(&results::recorded_later(name));
            return None;
        }
        let store = match self.reach.store(&self.settings).await {
            Ok(store) => store,
            Err(failure) => {
                self.screen.note(&results::maybe_not_recorded(&failure.text));
                return None;
            }
        };
        let begin = Instant::now();
        self.screen.progress(&format!("waiting for the manager to record it on `{name}` …"));
        let record = loop {
            match history::load(&*store, uid).await {
                Ok(record) if held(&record) => break Some(record),
                _ if begin.elapsed() >= CLUSTER_TIMEOUT => break None,
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        };
        self.screen.wipe();
        if record.is_none() {
            self.screen.note(&results::not_recorded(CLUSTER_TIMEOUT.as_secs()));
        }
        record
    }
}

/// What no configuration manages nothing is written on.
fn is_no_system(name: &str) -> Result<(), Failure> {
    let is_system = Exclusions::default().holds(name);
    if is_system { Err(Failure::new(Code::Refused, results::never_managed(name))) } else { Ok(()) }
}

fn too_late(name: &str, at: Timestamp) -> Failure {
    Failure::new(Code::Refused, results::too_late(name, at))
}

#[cfg(test)]
mod tests {
    use lifecycle::time::human_text;

    use super::*;

    #[test]
    fn what_is_asked_is_what_is_written_and_recorded() {
        let now: Timestamp = "2026-11-30T14:00:00.987654321Z".parse().unwrap();
        let four_hours = KeepEnd::In(SignedDuration::from_hours(4)).from(now);
        assert_eq!(human_text(four_hours), "2026-11-30 18:00:00 UTC");
        for end in [four_hours, KeepEnd::At(now).from(now), KeepEnd::In(SignedDuration::from_millis(1_500)).from(now)] {
            assert_eq!(lifecycle::time::parse(&annotation_text(end)), Some(end));
        }
    }
}
