//! Kubernetes Events about namespaces, for people who look into them.

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use lifecycle::Uid;
use tracing::debug;

use crate::{
    clock::Clock,
    cluster::{Cluster, FIELD_MANAGER},
    context::Context,
};

/// How long an Event may take: nothing waits for it longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest note the apiserver takes, in bytes.
const MAX_NOTE: usize = 1024;

/// Writes Events, each as one of its own. They are too few to be counted together, and who does that needs the right to
/// change everybody's Events.
#[derive(Clone)]
pub struct Events {
    cluster: Cluster,
    clock: Clock,
    instance: String,
    action: &'static str,
}

/// What an Event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    kind: &'static str,
    reason: &'static str,
    note: String,
    /// It goes by a name of its own, so that the apiserver takes no second one for as long as it keeps the first: an hour,
    /// mostly.
    is_named: bool,
}

impl News {
    #[must_use]
    pub const fn normal(reason: &'static str, note: String) -> Self {
        Self { kind: "Normal", reason, note, is_named: false }
    }

    #[must_use]
    pub const fn warning(reason: &'static str, note: String) -> Self {
        Self { kind: "Warning", reason, note, is_named: false }
    }

    /// The same, told once for as long as the apiserver keeps it: for what nobody writes down.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_named = true;
        self
    }
}

impl Events {
    /// `action`: what is done to namespaces, a verb.
    #[must_use]
    pub fn new(context: &Context, action: &'static str) -> Self {
        Self::through(context.cluster.clone(), context.clock.clone(), &context.instance, action)
    }

    /// The same for a caller that has no more than this.
    #[must_use]
    pub fn through(cluster: Cluster, clock: Clock, instance: &str, action: &'static str) -> Self {
        Self { cluster, clock, instance: instance.to_owned(), action }
    }

    /// Tells of the namespace of this name and uid, in that namespace. Best effort.
    pub async fn tell(&self, name: &str, uid: &Uid, news: News) {
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Namespace".to_owned()),
            name: Some(name.to_owned()),
            // Where its owner looks; the apiserver takes it when both agree.
            namespace: Some(name.to_owned()),
            uid: Some(uid.to_string()),
            ..ObjectReference::default()
        };
        let api: Api<Event> = Api::namespaced(self.cluster.client.clone(), name);
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let event = self.event(news, name, regarding);
        let written = tokio::time::timeout(TIMEOUT, api.create(&params, &event)).await;
        if !matches!(written, Ok(Ok(_))) {
            debug!("an Event in namespace `{name}` was not written");
        }
    }

    fn event(&self, News { kind, reason, note, is_named }: News, name: &str, regarding: ObjectReference) -> Event {
        let metadata = if is_named {
            let mut hasher = DefaultHasher::new();
            (&regarding.uid, reason, &note).hash(&mut hasher);
            ObjectMeta { name: Some(format!("{name}.{:016x}", hasher.finish())), ..ObjectMeta::default() }
        } else {
            // The apiserver makes a name of it, and of what begins names it takes a hyphen for the end, and no dot.
            ObjectMeta { generate_name: Some(format!("{name}-")), ..ObjectMeta::default() }
        };
        Event {
            metadata,
            event_time: Some(MicroTime(self.clock.now())),
            type_: Some(kind.to_owned()),
            reason: Some(reason.to_owned()),
            note: Some(note[..note.floor_char_boundary(MAX_NOTE)].to_owned()),
            action: Some(self.action.to_owned()),
            reporting_controller: Some("namespace-manager".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            regarding: Some(regarding),
            ..Event::default()
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}
