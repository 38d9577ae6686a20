//! Kubernetes Events: what the users of a namespace want to know.

use common::{context::Context, events::News};
use lifecycle::{
    Event, Namespace, Record, Status, event::StatusChanged, overrides::Malformed, record::comes_back, time::human_text,
};

/// Tells of what collectors record.
#[derive(Clone, Debug)]
pub(crate) struct Events(common::events::Events);

impl Events {
    pub(crate) fn new(context: &Context) -> Self {
        Self(common::events::Events::new(context, "Judge"))
    }

    /// Tells what was just recorded of a namespace, where people want to know it, and which owner
    /// overrides are malformed, where that is news. Best effort.
    pub(crate) async fn tell(
        &self,
        namespace: &Namespace,
        record: &Record,
        written: &[Event],
        malformed: &[Malformed],
    ) {
        let mut events: Vec<_> = written.iter().filter_map(|event| told(record, event)).collect();
        events.extend(malformed.iter().map(|it| News::warning("MalformedOverride", it.to_string())));
        for news in events {
            self.0.tell(&namespace.name, &namespace.uid, news).await;
        }
    }

    /// Tells that the annotations of a namespace cannot be written, where nothing is recorded of that: `why`, as the
    /// apiserver answered. The same is told once.
    pub(crate) async fn tell_of_refusal(&self, namespace: &Namespace, why: &str) {
        let note = format!(
            "its status cannot be shown on it: {why}; the administrator who runs that admission can let the manager write its \
             annotations, or else its owner cannot see there what is to come"
        );
        self.0.tell(&namespace.name, &namespace.uid, News::warning("AnnotationsRefused", note).once()).await;
    }
}

/// What an entry is told as, with what people can do about it; `record` is that of the namespace by now.
fn told(record: &Record, event: &Event) -> Option<News> {
    let (name, status) = (&record.name, record.status);
    match event {
        Event::StatusChanged(change) => of_status(change),
        Event::Kept(kept) => Some(match kept.until {
            Some(until) => News::normal("Kept", format!("it is kept until {}", human_text(until))),
            None => News::normal("Kept", "it is no longer kept".to_owned()),
        }),
        Event::Protected(protected) => Some(News::normal(
            "Protected",
            if protected.on { "nothing will be done to it" } else { "it is no longer protected" }.to_owned(),
        )),
        Event::Adopted(adopted) if adopted.again => Some(News::normal(
            "AdoptedAgain",
            format!(
                "it was recorded as gone and is there: it is managed again, and nothing told or promised before counts; to \
                 keep it, run `nsm keep {name} --for 4h` or `nsm protect {name}`"
            ),
        )),
        Event::Adopted(adopted) => comes_back(adopted.deleted_before).map(|it| {
            let note = format!(
                "{it}: whatever makes it anew does not want it deleted; take it out of that tool, or run `nsm protect {name}`"
            );
            News::warning("Recreated", note)
        }),
        Event::StatusNotShown(it) => Some(News::warning(
            "StatusNotVisible",
            format!(
                "it is not deleted while its status cannot be written on it: {}; let the manager write its annotations, or \
                 set `on.{status}.require_visible: false` in its policy",
                it.why
            ),
        )),
        Event::RecordMarkerMismatched(mismatch) => Some(News::warning(
            "MarkMismatch",
            format!(
                "it is not deleted, for the manager's store may not be the right one: {}; once an administrator knows that it \
                 is: `nsm approve --store`",
                mismatch.why
            ),
        )),
        _ => None,
    }
}

fn of_status(change: &StatusChanged) -> Option<News> {
    let note = || change.reason.clone();
    match change.to {
        Status::Stale => Some(News::warning("Stale", note())),
        Status::Unstable => Some(News::warning("Unstable", note())),
        Status::Failing => Some(News::warning("Failing", note())),
        Status::Failed => Some(News::warning("Failed", note())),
        Status::Ok => match change.from {
            Status::Unstable | Status::Failing | Status::Failed => Some(News::normal("Recovered", note())),
            Status::Unknown | Status::Ok | Status::Stale | Status::Cancelled | Status::Superseded => None,
        },
        Status::Superseded => Some(News::warning("Superseded", note())),
        Status::Cancelled => Some(News::warning("Cancelled", note())),
        Status::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
