//! Kubernetes Events: what people who look into their namespace want to know.

use std::time::Duration;

use common::{
    clock::Clock,
    cluster::{Cluster, FIELD_MANAGER},
    context::Context,
};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use lifecycle::{
    Fact, Namespace, Record, Status, entry::StatusChanged, record::comes_back, time::human_text, wishes::Malformed,
};
use tracing::debug;

/// How long an Event may take: nothing waits for it longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest note the apiserver takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// Writes Events, each as one of its own. Entries are too few to be counted together, and who does that needs the right to
/// change everybody's Events.
#[derive(Clone)]
pub(crate) struct Events {
    cluster: Cluster,
    clock: Clock,
    instance: String,
}

/// What an Event says.
struct Told {
    kind: &'static str,
    reason: &'static str,
    note: String,
}

impl Events {
    pub(crate) fn new(context: &Context) -> Self {
        Self { cluster: context.cluster.clone(), clock: context.clock.clone(), instance: context.instance.clone() }
    }

    /// Tells what was just recorded of a namespace, where people want to know it, and what of its owner's wishes is
    /// malformed, where that is news. Best effort.
    pub(crate) async fn tell(&self, namespace: &Namespace, record: &Record, written: &[Fact], malformed: &[Malformed]) {
        let mut events: Vec<_> = written.iter().filter_map(|fact| told(record, fact)).collect();
        events.extend(malformed.iter().map(|wish| warning("MalformedWish", wish.to_string())));
        let reference = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Namespace".to_owned()),
            name: Some(namespace.name.clone()),
            // Where its owner looks; the apiserver takes it when both agree.
            namespace: Some(namespace.name.clone()),
            uid: Some(namespace.uid.to_string()),
            ..ObjectReference::default()
        };
        let api: Api<Event> = Api::namespaced(self.cluster.client.clone(), &namespace.name);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        for told in events {
            let event = self.event(told, &reference);
            let written = tokio::time::timeout(TIMEOUT, api.create(&params, &event)).await;
            if !matches!(written, Ok(Ok(_))) {
                debug!("an Event in namespace `{}` was not written", namespace.name);
            }
        }
    }

    fn event(&self, Told { kind, reason, note }: Told, regarding: &ObjectReference) -> Event {
        let metadata = ObjectMeta {
            // The apiserver makes a name of it, and of what begins names it takes a hyphen for the end, and no dot.
            generate_name: regarding.name.as_ref().map(|name| format!("{name}-")),
            ..ObjectMeta::default()
        };
        Event {
            metadata,
            event_time: Some(MicroTime(self.clock.now())),
            type_: Some(kind.to_owned()),
            reason: Some(reason.to_owned()),
            note: Some(note[..note.floor_char_boundary(LONGEST_NOTE)].to_owned()),
            action: Some("Judge".to_owned()),
            reporting_controller: Some("namespace-manager".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            regarding: Some(regarding.clone()),
            ..Event::default()
        }
    }
}

/// What an entry is told as, with what people can do about it; `record` is that of the namespace by now.
fn told(record: &Record, fact: &Fact) -> Option<Told> {
    let (name, status) = (&record.name, record.status);
    match fact {
        Fact::StatusChanged(change) => of_status(change),
        Fact::Kept(kept) => Some(match kept.until {
            Some(until) => normal("Kept", format!("it is kept until {}", human_text(until))),
            None => normal("Kept", "it is no longer kept".to_owned()),
        }),
        Fact::Protected(protected) => Some(normal(
            "Protected",
            if protected.on { "nothing will be done to it" } else { "it is no longer protected" }.to_owned(),
        )),
        Fact::Adopted(adopted) if adopted.again => Some(normal(
            "AdoptedAgain",
            format!(
                "it was recorded as gone and is there: it is managed again, and nothing told or promised before counts; to \
                 keep it, run `nsm keep {name} --for 4h` or `nsm protect {name}`"
            ),
        )),
        Fact::Adopted(adopted) => comes_back(adopted.deleted_before).map(|it| {
            let note = format!(
                "{it}: whatever makes it anew does not want it deleted; take it out of that tool, or run `nsm protect {name}`"
            );
            warning("Recreated", note)
        }),
        Fact::StatusNotShown(it) => Some(warning(
            "StatusNotVisible",
            format!(
                "it is not deleted while its status cannot be written on it: {}; let the manager write its annotations, or \
                 set `on.{status}.require_visible: false` in its policy",
                it.why
            ),
        )),
        Fact::MarkMismatched(mismatch) => Some(warning(
            "MarkMismatch",
            format!(
                "it is not deleted until an administrator vouches for the store: {}; once it is known that the store is \
                 the right one, run `nsm approve --store`",
                mismatch.why
            ),
        )),
        _ => None,
    }
}

fn of_status(change: &StatusChanged) -> Option<Told> {
    let note = || change.reason.clone();
    match change.to {
        Status::Stale => Some(warning("Stale", note())),
        Status::Unstable => Some(warning("Unstable", note())),
        Status::Failing => Some(warning("Failing", note())),
        Status::Failed => Some(warning("Failed", note())),
        Status::Ok => match change.from {
            Status::Unstable | Status::Failing | Status::Failed => Some(normal("Recovered", note())),
            Status::Unknown | Status::Ok | Status::Stale | Status::Cancelled | Status::Superseded => None,
        },
        Status::Superseded => Some(warning("Superseded", note())),
        Status::Cancelled => Some(warning("Cancelled", note())),
        Status::Unknown => None,
    }
}

const fn normal(reason: &'static str, note: String) -> Told {
    Told { kind: "Normal", reason, note }
}

const fn warning(reason: &'static str, note: String) -> Told {
    Told { kind: "Warning", reason, note }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

#[cfg(test)]
mod tests;
