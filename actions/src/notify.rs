//! Telling an owner that a deletion is near, from a task's id to what became of the notice.

use common::{
    annotations, channels,
    config::{ChannelSettings, Settings, WebhookSettings},
    context::Context,
    controls,
    history::{Appended, append, load},
    publish,
};
use evidence::namespace;
use jiff::Timestamp;
use lifecycle::{
    Event, Policy, Record, Status, Task,
    channel::{self, Channel, Delivery as Tried, Outcome},
    event::{NoticeIntended, NoticeSent, NoticeSkipped, NoticeUndeliverable},
    guards::deletion,
    observe,
    plan::{self, promise, recently_notified},
    policy::Undeliverable,
    record::{Delivery, Notice},
    time::human_text,
};
use tracing::{debug, info, instrument, warn};

use crate::{
    switches,
    webhook::{self, Message},
    worker::Worker,
};

/// How often one delivery of a task starts over after a conflict before it is left to the next.
const MAX_ROUNDS: usize = 4;

/// Tells the owner, if the task is still due.
///
/// The promise is durable before anything is sent (docs/design/protocol.md S9). A notice that may or may not have
/// arrived is sent again under the same id, which the receiver can tell. One that did not arrive leaves nothing in the
/// history until it is given up: the planner offers the task again.
///
/// # Errors
/// When the store is out of reach: the planner offers the task again.
pub(crate) async fn carry_out(worker: &Worker, task: &Task) -> anyhow::Result<()> {
    let store = &*worker.context.store;
    for _ in 0..MAX_ROUNDS {
        let mut record = load(store, &task.uid).await?;
        worker.is_about(&record.name);
        let known = record.head;
        let settings = worker.context.settings();
        let policy = record.terms.as_ref().and_then(|terms| settings.policies.named(&terms.policy));
        let due = |policy: &&Policy| plan::plan(Some(policy), &record, worker.context.clock.now()).tasks.contains(task);
        let (Some(policy), Some(webhook)) = (policy.filter(due), settings.notices.webhook.clone()) else {
            return Ok(());
        };
        let Some(warning) = &policy.warning else { return Ok(()) };
        // By a clock that is off, what is promised would be wrong, and for how long a notice is tried.
        let clock = switches::clock(worker).await?;
        if !clock.is_true() {
            debug!("the owner of namespace `{}` is not told now: {}", record.name, clock.reason);
            return Ok(());
        }
        let channel = webhook.channel();
        let notice = match intend(worker, policy, &channel, &mut record).await? {
            Intent::Send(notice) => notice,
            Intent::Settled => {
                let _ = store.put_snapshot(&record).await;
                publish::event(&*worker.context.queue, &record).await;
                return Ok(());
            }
            Intent::Again => continue,
        };
        let closed = post(worker, policy, warning.undeliverable, &webhook, &channel, &mut record, &notice).await;
        if record.head != known {
            let _ = store.put_snapshot(&record).await;
        }
        // Told that a notice did not arrive, the planner would offer it again at once, and every worker would chase
        // the same receiver. Untold, it does so in half a minute, and then ever more seldom.
        if !closed? {
            return Ok(());
        }
        // Before the planner is told: what it plans next may be the deletion.
        if record.notified.is_some()
            && let Err(error) = show(worker, &settings, &record).await
        {
            let name = &record.name;
            warn!(namespace.name = %name, "namespace `{name}` does not show that its owner was told: {error:#}");
        }
        publish::event(&*worker.context.queue, &record).await;
        return Ok(());
    }
    Ok(())
}

enum Intent {
    /// This one is to be sent.
    Send(Notice),
    /// Nothing is to be sent, and the history says why.
    Settled,
    /// Somebody else wrote first.
    Again,
}

/// The notice that is under way already, or a new one with its promise, or the word that a recent one stands for it.
async fn intend(
    worker: &Worker,
    policy: &Policy,
    channel: &ChannelSettings,
    record: &mut Record,
) -> anyhow::Result<Intent> {
    let Some(deletion) = deletion(policy, record) else {
        return Ok(Intent::Settled);
    };
    let (about, deadline) = (deletion.about, deletion.at);
    let open = |notice: &&Notice| notice.delivery == Delivery::Open && notice.intended.deadline == deadline;
    if let Some(notice) = record.notice(about).filter(open) {
        return Ok(Intent::Send(notice.clone()));
    }
    let now = worker.context.clock.now();
    let told = recently_notified(record, about, now);
    let event = match told {
        Some(at) => {
            let why = format!("its owner was told at {}, and not again within half an hour", human_text(at));
            Event::NoticeSkipped(NoticeSkipped { of: None, about, deadline, why })
        }
        None => Event::NoticeIntended(NoticeIntended {
            about,
            deadline,
            promise: promise(policy, &deletion, now),
            channel: channel.name.to_owned(),
        }),
    };
    Ok(match append(&*worker.context.store, record, &worker.actor, event, now).await? {
        Appended::Conflict => Intent::Again,
        Appended::Written => match record.notice(about).filter(|_| told.is_none()) {
            Some(notice) => Intent::Send(notice.clone()),
            None => Intent::Settled,
        },
    })
}

/// Tries to deliver the notice, unless its receiver asked to be left alone. Returns whether that closed it.
#[instrument(name = "notice", skip_all, fields(notice.id = notice.id(&record.uid), channel = channel.name))]
async fn post(
    worker: &Worker,
    policy: &Policy,
    terms: Undeliverable,
    webhook: &WebhookSettings,
    channel: &ChannelSettings,
    record: &mut Record,
    notice: &Notice,
) -> anyhow::Result<bool> {
    let (store, clock) = (&*worker.context.store, &worker.context.clock);
    let now = clock.now();
    let id = notice.id(&record.uid);
    if channels::is_left_alone(store, channel, &terms, notice, &id, now).await? {
        return Ok(false);
    }
    let promise = plan::promise_of_try(policy, notice, now);
    let message = message(record, notice, promise);
    let delivery = webhook::deliver(&worker.context.http, webhook, &message, now).await;
    let now = clock.now();
    let known = learn(worker, terms, webhook, channel, &id, &delivery, now).await;
    let known = match (&delivery, known) {
        (_, Ok(known)) => known,
        // It arrived: that nobody learned that the channel works must not send it again.
        (Tried::Accepted, Err(error)) => {
            debug!("it is not known that channel `{}` works: {error:#}", channel.name);
            Channel::default()
        }
        (Tried::Failed(_), Err(error)) => return Err(error),
    };
    let (of, promise) = (notice.seq, (promise > notice.promise).then_some(promise));
    let event = match channel::outcome(&terms, notice, &known, &delivery, now) {
        Outcome::Sent => {
            info!(namespace.name = %record.name, "the owner of namespace `{}` was told of its deletion", record.name);
            Event::NoticeSent(NoticeSent { of, promise })
        }
        Outcome::Undeliverable(why) => {
            warn!(namespace.name = %record.name, "the owner of namespace `{}` could not be told of its deletion: {why}", record.name);
            Event::NoticeUndeliverable(NoticeUndeliverable { of, promise, why })
        }
        Outcome::Retry => {
            debug!("a notice about namespace `{}` did not arrive at `{}`", record.name, webhook::origin(webhook));
            return Ok(false);
        }
    };
    close(worker, record, notice, event, now).await?;
    Ok(true)
}

/// Takes in what a try says of the channel, for every process. Returns what is known of it now.
async fn learn(
    worker: &Worker,
    terms: Undeliverable,
    webhook: &WebhookSettings,
    channel: &ChannelSettings,
    notice: &str,
    delivery: &Tried,
    now: Timestamp,
) -> anyhow::Result<Channel> {
    let store = &*worker.context.store;
    if let Tried::Failed(failure) = delivery {
        channels::failed(store, channel, &terms, notice, failure, now).await?;
    }
    let tried = channels::tried(store, &worker.actor, channel, notice, delivery, now).await?;
    let channels::Change { before, after } = tried;
    let (name, origin) = (channel.name, webhook::origin(webhook));
    match (before.is_broken(), after.is_broken()) {
        (false, true) => {
            let why = after.trouble().unwrap_or_default();
            warn!("channel `{name}` at `{origin}` is broken, so owners are not told: {why}");
        }
        (true, false) => info!("channel `{name}` at `{origin}` works again"),
        (true, true) | (false, false) => {}
    }
    Ok(after)
}

/// Records what became of a notice, unless that is on record.
async fn close(
    worker: &Worker,
    record: &mut Record,
    notice: &Notice,
    event: Event,
    now: Timestamp,
) -> anyhow::Result<()> {
    for _ in 0..MAX_ROUNDS {
        let open = record
            .notice(notice.intended.about)
            .is_some_and(|known| known.seq == notice.seq && known.delivery == Delivery::Open);
        if !open {
            return Ok(());
        }
        match append(&*worker.context.store, record, &worker.actor, event.clone(), now).await? {
            Appended::Written => return Ok(()),
            Appended::Conflict => *record = load(&*worker.context.store, &record.uid).await?,
        }
    }
    anyhow::bail!("what became of the notice of entry {} could not be written: others kept writing", notice.seq)
}

/// Shows on the namespace that its owner was told. Collectors keep records in mind and hear of none of ours; this PATCH
/// comes back to them with a marker ahead of what they know, so that they read the record again.
///
/// # Errors
/// When it is not known to be shown: the next collector that reads the record shows it.
async fn show(worker: &Worker, settings: &Settings, record: &Record) -> anyhow::Result<()> {
    let Context { store, cluster, clock, .. } = &worker.context;
    let policies = &settings.policies;
    let now = clock.now();
    let Some(reading) = namespace::read(cluster, &record.name, policies, now).await? else {
        return Ok(());
    };
    // Others may have appended meanwhile: while an intent is open, nothing is written here.
    let record = load(&**store, &record.uid).await?;
    let store_identity = controls::store_identity(&**store).await?;
    if store_identity.check(&reading.namespace, &policies.keys, &record).is_err() {
        // A marker that contradicts this store is left as it is: it is the only trace that entries were lost.
        return Ok(());
    }
    let difference = annotations::changes(settings, &record, &observe(None, reading, now));
    if !difference.is_empty() {
        annotations::write(cluster, settings, &record, store_identity.epoch(), difference).await?;
    }
    Ok(())
}

/// What is posted, with what this try promises.
fn message(record: &Record, notice: &Notice, promise: Timestamp) -> Message {
    Message {
        v: 1,
        id: notice.id(&record.uid),
        kind: "deletion-announced".to_owned(),
        namespace: record.name.clone(),
        uid: record.uid.to_string(),
        status: record.status,
        about: notice.intended.about,
        reason: reason(record, notice),
        deadline: notice.intended.deadline,
        not_before: promise,
        owner: record.ci.clone(),
        what_you_can_do: format!(
            "keep it for longer with `nsm keep {0} --for 4h --reason …`, for ever with `nsm protect {0}`, or look with \
             `nsm why {0}`",
            record.name
        ),
    }
}

/// Why it is deleted, in words.
fn reason(record: &Record, notice: &Notice) -> String {
    match notice.intended.about {
        Status::Stale => format!("its time to live ends at {}", human_text(notice.intended.deadline)),
        about => format!("it is {about}: {}", record.reason),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use lifecycle::{
        Actor, Entry, Mode, Uid,
        event::{Adopted, Pair, PolicyRef, StatusChanged},
    };
    use serde_json::Value;

    use super::*;
    use crate::fixture::policies;

    const PAGE: &str = include_str!("../../docs/notices.md");

    fn at(hour: i64) -> jiff::Timestamp {
        "2026-08-17T00:00:00Z".parse::<jiff::Timestamp>().unwrap() + SignedDuration::from_hours(hour)
    }

    /// A namespace that lives from 8 to 12 o'clock, whose owner is told at 11.
    fn record() -> Record {
        let uid = Uid::new("6a0b6d0e-7d0c-4c39-9a35-0f3c1f1c9d55");
        let pair = |k: &str, v: &str| Pair { k: k.into(), v: v.into() };
        let adopted = Adopted {
            terms: PolicyRef { policy: "ci".into(), policy_hash: "h".into(), mode: Mode::Enforce },
            created: at(8),
            ci: vec![pair("author", "anna"), pair("team", "blue")],
            deadline: None,
            again: false,
            deleted_before: 0,
        };
        let (from, to) = (Status::Unknown, Status::Ok);
        let ok = StatusChanged {
            from,
            to,
            reason: String::new(),
            evidence: Vec::new(),
            finalize_at: Some(at(12)),
            successors: Vec::new(),
        };
        let (about, channel) = (Status::Stale, "webhook".to_owned());
        let notice = NoticeIntended { about, deadline: at(12), promise: at(12), channel };
        let events = [Event::Adopted(adopted), Event::StatusChanged(ok), Event::NoticeIntended(notice)];
        let entry = |(seq, event)| Entry {
            uid: uid.clone(),
            seq,
            at: at(11),
            actor: Actor::role("action", "a"),
            name: "ci-4711".into(),
            token: String::new(),
            event,
        };
        Record::of(uid.clone(), &(1..).zip(events).map(entry).collect::<Vec<_>>())
    }

    fn posted_at(now: Timestamp) -> Message {
        let (policies, record) = (policies("4h", true), record());
        let (policy, notice) = (policies.iter().next().unwrap(), record.notice(Status::Stale).unwrap());
        message(&record, notice, plan::promise_of_try(policy, notice, now))
    }

    #[test]
    fn what_leaves_late_promises_the_grace_from_then_on() {
        assert_eq!(posted_at(at(11)).not_before, at(12));
        assert_eq!(posted_at(at(12)).not_before, at(12) + SignedDuration::from_mins(10));
    }

    #[test]
    fn the_page_shows_what_is_posted() {
        let posted = serde_json::to_value(posted_at(at(11))).unwrap();
        let (_, rest) = PAGE.split_once("```json\n").unwrap();
        let (shown, rest) = rest.split_once("```").unwrap();
        assert_eq!(serde_json::from_str::<Value>(shown).unwrap(), posted);
        let (fields, _) = rest.split_once("## ").unwrap();
        for field in posted.as_object().unwrap().keys() {
            assert!(fields.contains(&format!("`{field}`")), "the page does not tell what `{field}` means");
        }
        for header in [webhook::SIGNATURE, webhook::ID, webhook::TIMESTAMP, webhook::SIGNATURES] {
            assert!(PAGE.contains(header), "the page does not tell of `{header}`");
        }
    }
}
