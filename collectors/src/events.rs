//! Kubernetes Events: what people who look into their namespace want to know.

use std::time::Duration;

use common::context::Context;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use lifecycle::{Fact, Namespace, Policy, Status, time::human_text, wishes};
use tracing::debug;

/// How long an Event may take: nothing waits for it longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Writes Events.
#[derive(Clone)]
pub(crate) struct Events(Recorder);

impl Events {
    pub(crate) fn new(context: &Context) -> Self {
        let reporter =
            Reporter { controller: "namespace-manager".to_owned(), instance: Some(context.instance.clone()) };
        Self(Recorder::new(context.cluster.client.clone(), reporter))
    }

    /// Tells what was just recorded of a namespace, where people want to know it. Best effort.
    pub(crate) async fn tell(&self, namespace: &Namespace, policy: Option<&Policy>, written: &[Fact]) {
        let mut events: Vec<_> = written.iter().filter_map(event).collect();
        let wishes_changed =
            written.iter().any(|fact| matches!(fact, Fact::Adopted(_) | Fact::DeadlineMoved(_) | Fact::Kept(_)));
        if let Some(policy) = policy.filter(|_| wishes_changed) {
            let malformed = wishes::malformed(namespace, &policy.keys);
            events.extend(malformed.iter().map(|wish| warning("MalformedWish", wish.to_string())));
        }
        let reference = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Namespace".to_owned()),
            name: Some(namespace.name.clone()),
            // Where its owner looks; the apiserver takes it when both agree.
            namespace: Some(namespace.name.clone()),
            uid: Some(namespace.uid.to_string()),
            ..ObjectReference::default()
        };
        for event in events {
            let published = tokio::time::timeout(TIMEOUT, self.0.publish(&event, &reference)).await;
            if !matches!(published, Ok(Ok(()))) {
                debug!("an Event in namespace `{}` was not written", namespace.name);
            }
        }
    }
}

fn event(fact: &Fact) -> Option<Event> {
    match fact {
        Fact::StatusChanged(change) if change.to == Status::Stale => Some(warning("Stale", change.reason.clone())),
        Fact::Kept(kept) => Some(match kept.until {
            Some(until) => normal("Kept", format!("it is kept until {}", human_text(until))),
            None => normal("Kept", "it is no longer kept".to_owned()),
        }),
        Fact::Protected(protected) => Some(normal(
            "Protected",
            if protected.on { "nothing will be done to it" } else { "it is no longer protected" }.to_owned(),
        )),
        _ => None,
    }
}

fn normal(reason: &str, note: String) -> Event {
    Event {
        type_: EventType::Normal,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Judge".to_owned(),
        secondary: None,
    }
}

fn warning(reason: &str, note: String) -> Event {
    Event { type_: EventType::Warning, ..normal(reason, note) }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}
