//! What is known of the channels by which owners are told, for every process: whether each works, until when its receiver
//! asked to be left alone, and which notice it refuses.
//!
//! Whether it works is a log of claims of which the last counts, so that of two tries that end at once both count. It is
//! written only where something changed. The rest are notes: losing one costs a request.

use jiff::Timestamp;
use lifecycle::{
    Actor,
    channel::{self, Channel, Delivery, Failure},
    policy::Undeliverable,
    record::Notice,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config::ChannelSettings,
    controls::{self, ControlRecord},
    store::{ClaimKind, Inserted, Result, SourceCacheEntry, Store},
};

/// What is stored of a channel. Where another address is configured, that is another channel.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// The [`ChannelSettings::address`].
    address: String,
    #[serde(flatten)]
    channel: Channel,
}

/// A change of what is known of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub before: Channel,
    pub after: Channel,
}

/// That a notice was refused which is tried again: for its form, or because its recipient is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRefusal {
    /// When that was, the last time.
    pub at: Timestamp,
    /// What happened, and what was answered.
    pub why: String,
    /// Until when its receiver does not want to get it again, if it said so.
    pub until: Option<Timestamp>,
}

/// What is known of a channel.
///
/// # Errors
/// When the store is out of reach or damaged.
pub async fn known(store: &dyn Store, settings: &ChannelSettings) -> Result<Channel> {
    last(store, settings).await.map(|(_, channel)| channel)
}

/// Takes in what came of a try of the notice of this id.
///
/// # Errors
/// When it is not known to be durable: the next try tells the same.
pub async fn tried(
    store: &dyn Store,
    actor: &Actor,
    settings: &ChannelSettings,
    notice: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Change> {
    loop {
        let (number, before) = last(store, settings).await?;
        let Some(after) = before.after(notice, delivery, now) else {
            return Ok(Change { after: before.clone(), before });
        };
        let stored = Stored { address: settings.address.clone(), channel: after.clone() };
        match store.claim(&controls::claim(&group(settings), number + 1, actor, &stored, now)).await? {
            Inserted::Written => return Ok(Change { before, after }),
            // Another try ended meanwhile.
            Inserted::Taken => {}
        }
    }
}

/// Keeps what the failed try of a notice asks of the next ones: of this notice alone where it was refused, of all on the
/// channel otherwise.
///
/// # Errors
/// When the store is out of reach.
pub async fn failed(
    store: &dyn Store,
    settings: &ChannelSettings,
    terms: &Undeliverable,
    notice: &str,
    failure: &Failure,
    now: Timestamp,
) -> Result<()> {
    let until = channel::left_alone_until(terms, failure, now);
    let address = &settings.address;
    let (about, body) = match until {
        _ if failure.scope.is_of_one_notice() => {
            let refusal = ChannelRefusal { at: now, why: failure.text(), until };
            (of_notice(settings, notice), serde_json::json!({"address": address, "refusal": refusal}))
        }
        Some(until) => (group(settings), serde_json::json!({"address": address, "until": until})),
        None => return Ok(()),
    };
    store.put_note(&SourceCacheEntry { about, at: now, body }).await
}

/// Whether a notice is not tried now, because its receiver asked to be left alone: with all of them, or with this one.
///
/// # Errors
/// When the store is out of reach.
pub async fn is_left_alone(
    store: &dyn Store,
    settings: &ChannelSettings,
    terms: &Undeliverable,
    notice: &Notice,
    id: &str,
    now: Timestamp,
) -> Result<bool> {
    let of_all = left_alone_until(store, settings).await?;
    let of_notice = refusal(store, settings, id).await?.and_then(|refusal| refusal.until);
    Ok(of_all.into_iter().chain(of_notice).any(|until| channel::is_held(terms, notice, until, now)))
}

/// How a notice was refused the last time, if it was.
///
/// # Errors
/// When the store is out of reach.
pub async fn refusal(store: &dyn Store, settings: &ChannelSettings, notice: &str) -> Result<Option<ChannelRefusal>> {
    let body = note(store, settings, &of_notice(settings, notice)).await?;
    // One that cannot be read, of a later version, costs a request.
    Ok(body.and_then(|mut body| serde_json::from_value(body["refusal"].take()).ok()))
}

/// Until when the receiver asked to be left alone with all notices, if it did.
async fn left_alone_until(store: &dyn Store, settings: &ChannelSettings) -> Result<Option<Timestamp>> {
    let body = note(store, settings, &group(settings)).await?;
    Ok(body.as_ref().and_then(|body| body.get("until")).and_then(Value::as_str).and_then(|text| text.parse().ok()))
}

/// What a note says, where it is of this address.
async fn note(store: &dyn Store, settings: &ChannelSettings, about: &str) -> Result<Option<Value>> {
    let note = store.note(about).await?;
    Ok(note.map(|note| note.body).filter(|body| body["address"].as_str() == Some(&settings.address)))
}

/// What is known, and the number under which it stands in the log.
async fn last(store: &dyn Store, settings: &ChannelSettings) -> Result<(u64, Channel)> {
    let last = store.last_claim(ClaimKind::Controls, &group(settings)).await?;
    let Some(ControlRecord { number, body, .. }) = last.map(controls::read::<Stored>).transpose()? else {
        return Ok((0, Channel::default()));
    };
    let is_it = body.address == settings.address;
    Ok((number, if is_it { body.channel } else { Channel::default() }))
}

fn group(settings: &ChannelSettings) -> String {
    format!("channel/{}", settings.name)
}

fn of_notice(settings: &ChannelSettings, notice: &str) -> String {
    format!("channel/{}/{notice}", settings.name)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use lifecycle::{
        Status,
        channel::{ChannelState, FailureScope},
        event::NoticeIntended,
        policy::OnUndeliverable,
        record,
    };

    use super::*;
    use crate::store::{SharedStore, open, temporary};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn webhook(address: &str) -> ChannelSettings {
        ChannelSettings { name: "webhook", address: address.to_owned() }
    }

    fn failure(scope: FailureScope) -> Failure {
        let (why, answer) = ("it answered 400 Bad Request".to_owned(), Some("invalid_payload".to_owned()));
        Failure { scope, why, answer, wait: None }
    }

    fn no(scope: FailureScope) -> Delivery {
        Delivery::Failed(failure(scope))
    }

    /// A try of a notice that is tried for the first time.
    async fn try_it(store: &SharedStore, delivery: &Delivery, second: i64) -> Change {
        try_notice(store, &format!("u-{second}:3"), delivery, second).await
    }

    async fn try_notice(store: &SharedStore, notice: &str, delivery: &Delivery, second: i64) -> Change {
        tried(&**store, &Actor::role("action", "a"), &webhook("a"), notice, delivery, at(second)).await.unwrap()
    }

    async fn writes(store: &SharedStore) -> usize {
        store.claims(ClaimKind::Controls, "channel/webhook", 1, 100).await.unwrap().len()
    }

    #[tokio::test]
    async fn every_process_knows_what_a_channel_does_and_only_changes_are_written() {
        let (directory, store) = temporary().await;
        try_it(&store, &Delivery::Accepted, 0).await;
        assert_eq!(writes(&store).await, 0);
        for second in 1..6 {
            try_it(&store, &no(FailureScope::Channel), second).await;
        }
        assert_eq!(writes(&store).await, 1);
        drop(store);
        let store = open(&format!("sqlite:{}", directory.path().join("nsm.db").display())).await.unwrap();
        let known = known(&*store, &webhook("a")).await.unwrap();
        assert_eq!((known.state, known.since), (ChannelState::Broken, Some(at(1))));
        assert_eq!(known.trouble().as_deref(), Some("it answered 400 Bad Request: invalid_payload"));
        let change = try_it(&store, &Delivery::Accepted, 9).await;
        assert_eq!((change.before, change.after.state), (known, ChannelState::Working));
        try_it(&store, &Delivery::Accepted, 10).await;
        assert_eq!(writes(&store).await, 2);
    }

    #[tokio::test]
    async fn refusals_at_the_same_time_all_count() {
        let (_directory, store) = temporary().await;
        let refused = no(FailureScope::Message);
        futures::future::join_all((0..3).map(|second| try_it(&store, &refused, second))).await;
        assert!(known(&*store, &webhook("a")).await.unwrap().is_broken());
        assert_eq!(writes(&store).await, 3);
    }

    #[tokio::test]
    async fn one_notice_that_is_refused_by_all_workers_counts_once() {
        let (_directory, store) = temporary().await;
        let refused = no(FailureScope::Message);
        futures::future::join_all((0..3).map(|second| try_notice(&store, "u:3", &refused, second))).await;
        let known = known(&*store, &webhook("a")).await.unwrap();
        assert_eq!((known.state, known.refused_notices), (ChannelState::Failing, vec!["u:3".to_owned()]));
        assert_eq!(writes(&store).await, 1);
    }

    /// What a former version wrote of a channel.
    async fn written_before(store: &SharedStore, state: &str, refused: u32) {
        let body = serde_json::json!({"address": "a", "state": state, "since": at(0), "refused": refused, "unanswered": 1,
            "why": "it answered 400 Bad Request", "answer": "invalid_payload", "answered_at": at(0)});
        let claim = controls::claim("channel/webhook", 1, &Actor::role("action", "a"), &body, at(0));
        assert_eq!(store.claim(&claim).await.unwrap(), Inserted::Written);
    }

    #[tokio::test]
    async fn tries_that_a_former_version_counted_break_nothing() {
        let (_directory, store) = temporary().await;
        written_before(&store, "failing", 2).await;
        let before = known(&*store, &webhook("a")).await.unwrap();
        assert_eq!((before.state, before.since, before.unanswered), (ChannelState::Failing, Some(at(0)), 1));
        for second in 1..3 {
            let change = try_it(&store, &no(FailureScope::Message), second).await;
            assert_eq!(change.after.state, ChannelState::Failing, "of {second} notices");
        }
        assert!(try_it(&store, &no(FailureScope::Message), 3).await.after.is_broken());
    }

    #[tokio::test]
    async fn a_channel_that_a_former_version_found_broken_is_so_until_it_works() {
        let (_directory, store) = temporary().await;
        written_before(&store, "broken", 3).await;
        assert!(known(&*store, &webhook("a")).await.unwrap().is_broken());
        assert!(try_it(&store, &no(FailureScope::Message), 1).await.after.is_broken());
        assert_eq!(try_it(&store, &Delivery::Accepted, 2).await.after.state, ChannelState::Working);
    }

    const TERMS: Undeliverable = Undeliverable { after: SignedDuration::from_hours(1), then: OnUndeliverable::Wait };

    /// Says that the first try of notice 3 of `u` failed so at second 0, and its receiver wants a minute's rest.
    async fn asks_for_a_minute(store: &SharedStore, scope: FailureScope) {
        let failure = Failure { wait: Some(SignedDuration::from_mins(1)), ..failure(scope) };
        failed(&**store, &webhook("a"), &TERMS, "u:3", &failure, at(0)).await.unwrap();
    }

    /// Whether a notice is held at a second.
    async fn is_held(store: &SharedStore, address: &str, id: &str, second: i64) -> bool {
        let (about, channel) = (Status::Stale, "webhook".to_owned());
        let notice = Notice {
            intended: NoticeIntended { about, deadline: at(0), promise: at(0), channel },
            seq: 3,
            at: at(0),
            delivery: record::Delivery::Open,
            promise: at(0),
            counts: true,
            sent_at: None,
        };
        is_left_alone(&**store, &webhook(address), &TERMS, &notice, id, at(second)).await.unwrap()
    }

    #[tokio::test]
    async fn who_does_not_answer_is_left_alone_by_all_notices() {
        for scope in [FailureScope::Attempt, FailureScope::Channel] {
            let (_directory, store) = temporary().await;
            asks_for_a_minute(&store, scope).await;
            assert!(is_held(&store, "a", "u:3", 59).await && is_held(&store, "a", "v:3", 59).await, "{scope:?}");
            assert!(!is_held(&store, "a", "v:3", 60).await && !is_held(&store, "b", "u:3", 59).await, "{scope:?}");
            assert_eq!(refusal(&*store, &webhook("a"), "u:3").await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn who_refuses_one_notice_is_left_alone_by_that_one() {
        for scope in [FailureScope::Message, FailureScope::Recipient] {
            let (_directory, store) = temporary().await;
            asks_for_a_minute(&store, scope).await;
            assert!(is_held(&store, "a", "u:3", 59).await && !is_held(&store, "a", "u:3", 60).await, "{scope:?}");
            for (address, id) in [("a", "v:3"), ("a", "u:4"), ("b", "u:3")] {
                assert!(!is_held(&store, address, id, 59).await, "{scope:?} holds {id} of {address}");
            }
        }
    }

    #[tokio::test]
    async fn how_a_notice_was_refused_last_is_known() {
        let (_directory, store) = temporary().await;
        let last = async || refusal(&*store, &webhook("a"), "u:3").await.unwrap();
        assert_eq!(last().await, None);
        asks_for_a_minute(&store, FailureScope::Message).await;
        let why = "it answered 400 Bad Request: invalid_payload".to_owned();
        assert_eq!(last().await, Some(ChannelRefusal { at: at(0), why, until: Some(at(60)) }));
        let gone = Failure { why: "it answered 410 Gone".to_owned(), answer: None, ..failure(FailureScope::Recipient) };
        failed(&*store, &webhook("a"), &TERMS, "u:3", &gone, at(60)).await.unwrap();
        assert_eq!(
            last().await,
            Some(ChannelRefusal { at: at(60), why: "it answered 410 Gone".to_owned(), until: None })
        );
        assert_eq!(refusal(&*store, &webhook("b"), "u:3").await.unwrap(), None);
    }

    #[tokio::test]
    async fn another_address_is_another_channel() {
        let (_directory, store) = temporary().await;
        try_it(&store, &no(FailureScope::Channel), 0).await;
        assert_eq!(known(&*store, &webhook("b")).await.unwrap(), Channel::default());
        let refused = no(FailureScope::Message);
        let other = tried(&*store, &Actor::person("me"), &webhook("b"), "u:3", &refused, at(1)).await;
        assert_eq!(other.unwrap().after.state, ChannelState::Failing);
    }
}
