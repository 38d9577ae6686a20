//! What is known of the channels by which owners are told, for every process: whether each works, and until when its
//! receiver asked to be left alone.
//!
//! Whether it works is a log of claims of which the last counts, so that of two tries that end at once both count. It is
//! written only where something changed. That a receiver wants to be left alone is a note: losing it costs a request.

use jiff::Timestamp;
use lifecycle::{
    Actor,
    channel::{Channel, Delivery},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config::ChannelSettings,
    controls::{self, Decree},
    store::{ClaimKind, Inserted, Note, Result, Store},
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

/// What is known of a channel.
///
/// # Errors
/// When the store is out of reach or damaged.
pub async fn known(store: &dyn Store, settings: &ChannelSettings) -> Result<Channel> {
    last(store, settings).await.map(|(_, channel)| channel)
}

/// Takes in what came of a try.
///
/// # Errors
/// When it is not known to be durable: the next try tells the same.
pub async fn tried(
    store: &dyn Store,
    actor: &Actor,
    settings: &ChannelSettings,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Change> {
    loop {
        let (number, before) = last(store, settings).await?;
        let Some(after) = before.after(delivery, now) else {
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

/// Keeps until when the receiver asked to be left alone.
///
/// # Errors
/// When the store is out of reach.
pub async fn leave_alone(
    store: &dyn Store,
    settings: &ChannelSettings,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let body = serde_json::json!({"address": settings.address, "until": until});
    store.put_note(&Note { about: group(settings), at: now, body }).await
}

/// Until when the receiver asked to be left alone, if it did.
///
/// # Errors
/// When the store is out of reach.
pub async fn left_alone_until(store: &dyn Store, settings: &ChannelSettings) -> Result<Option<Timestamp>> {
    let note = store.note(&group(settings)).await?;
    let body = note.map(|note| note.body).filter(|body| body["address"].as_str() == Some(&settings.address));
    Ok(body.as_ref().and_then(|body| body.get("until")).and_then(Value::as_str).and_then(|text| text.parse().ok()))
}

/// What is known, and the number under which it stands in the log.
async fn last(store: &dyn Store, settings: &ChannelSettings) -> Result<(u64, Channel)> {
    let last = store.last_claim(ClaimKind::Controls, &group(settings)).await?;
    let Some(Decree { number, body, .. }) = last.map(controls::read::<Stored>).transpose()? else {
        return Ok((0, Channel::default()));
    };
    let is_it = body.address == settings.address;
    Ok((number, if is_it { body.channel } else { Channel::default() }))
}

fn group(settings: &ChannelSettings) -> String {
    format!("channel/{}", settings.name)
}

#[cfg(test)]
mod tests {
    use lifecycle::channel::{ChannelState, Failure, FailureScope};

    use super::*;
    use crate::store::{SharedStore, open, temporary};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn webhook(address: &str) -> ChannelSettings {
        ChannelSettings { name: "webhook", address: address.to_owned() }
    }

    fn failed(scope: FailureScope) -> Delivery {
        let (why, answer) = ("it answered 400 Bad Request".to_owned(), Some("invalid_payload".to_owned()));
        Delivery::Failed(Failure { scope, why, answer, wait: None })
    }

    async fn try_it(store: &SharedStore, delivery: &Delivery, second: i64) -> Change {
        tried(&**store, &Actor::role("action", "a"), &webhook("a"), delivery, at(second)).await.unwrap()
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
            try_it(&store, &failed(FailureScope::Channel), second).await;
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
        let refused = failed(FailureScope::Message);
        futures::future::join_all((0..3).map(|second| try_it(&store, &refused, second))).await;
        assert!(known(&*store, &webhook("a")).await.unwrap().is_broken());
        assert_eq!(writes(&store).await, 3);
    }

    #[tokio::test]
    async fn another_address_is_another_channel() {
        let (_directory, store) = temporary().await;
        try_it(&store, &failed(FailureScope::Channel), 0).await;
        leave_alone(&*store, &webhook("a"), at(60), at(0)).await.unwrap();
        assert_eq!(left_alone_until(&*store, &webhook("a")).await.unwrap(), Some(at(60)));
        assert_eq!(known(&*store, &webhook("b")).await.unwrap(), Channel::default());
        assert_eq!(left_alone_until(&*store, &webhook("b")).await.unwrap(), None);
        let other = tried(&*store, &Actor::person("me"), &webhook("b"), &failed(FailureScope::Message), at(1)).await;
        assert_eq!(other.unwrap().after.state, ChannelState::Failing);
    }
}
