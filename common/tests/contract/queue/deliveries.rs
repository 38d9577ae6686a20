//! Deliveries: a message comes until somebody says that it need not.

use std::collections::BTreeSet;

use common::queue::{Message, Route};

use super::{Bench, SHORT, about, drain, publish, take, waiting};

pub(crate) async fn messages_come_in_order(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a", "b", "c"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let first = take(&mut *tasks).await;
    assert_eq!(first.message(), Some(&Message { v: 1, about: "a".to_owned() }));
    first.ack().await.unwrap();
    assert_eq!(drain(&*queue, Route::Tasks, &mut *tasks).await, ["b", "c"]);
}

pub(crate) async fn what_is_acknowledged_does_not_come_again(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    take(&mut *tasks).await.ack().await.unwrap();
    drop(tasks);
    assert!(waiting(&*queue, Route::Tasks).await.is_empty());
}

pub(crate) async fn what_is_dropped_comes_again_and_first(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a", "b"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    drop(take(&mut *tasks).await);
    assert_eq!(drain(&*queue, Route::Tasks, &mut *tasks).await, ["a", "b"]);
}

pub(crate) async fn what_is_in_hand_when_its_consumer_goes_comes_again(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let in_hand = take(&mut *tasks).await;
    drop((tasks, in_hand));
    assert_eq!(waiting(&*queue, Route::Tasks).await, ["a"]);
}

pub(crate) async fn what_is_rejected_does_not_come_again(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a", "b"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    take(&mut *tasks).await.reject().await.unwrap();
    assert_eq!(drain(&*queue, Route::Tasks, &mut *tasks).await, ["b"]);
}

pub(crate) async fn routes_are_apart(bench: &impl Bench) {
    let queue = bench.open().await;
    queue.publish(Route::Events, &Message::about("event")).await.unwrap();
    publish(&*queue, &["task"]).await;
    assert_eq!(waiting(&*queue, Route::Tasks).await, ["task"]);
    assert_eq!(waiting(&*queue, Route::Events).await, ["event"]);
}

pub(crate) async fn of_identical_messages_that_wait_one_comes_at_least(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a", "b", "a", "a"]).await;
    let seen = waiting(&*queue, Route::Tasks).await;
    assert_eq!(BTreeSet::from_iter(seen.iter().map(String::as_str)), BTreeSet::from(["a", "b"]));
}

/// The one that has it in hand may have checked before what is told now.
pub(crate) async fn a_message_published_while_its_like_is_in_hand_comes(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let in_hand = take(&mut *tasks).await;
    publish(&*queue, &["a"]).await;
    in_hand.ack().await.unwrap();
    assert_eq!(drain(&*queue, Route::Tasks, &mut *tasks).await, ["a"]);
}

pub(crate) async fn consumers_share_the_messages(bench: &impl Bench) {
    let queue = bench.open().await;
    let sent: Vec<String> = (100..200).map(|number| number.to_string()).collect();
    publish(&*queue, &sent.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut one = queue.consume(Route::Tasks).await.unwrap();
    let mut other = queue.consume(Route::Tasks).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < sent.len() {
        let (left, right) = tokio::join!(one.next(SHORT), other.next(SHORT));
        for delivery in [left, right].into_iter().filter_map(Result::unwrap) {
            seen.push(about(&*delivery).to_owned());
            delivery.ack().await.unwrap();
        }
    }
    drop(other);
    assert_eq!(drain(&*queue, Route::Tasks, &mut *one).await, [""; 0], "each comes once");
    seen.sort();
    assert_eq!(seen, sent);
}

pub(crate) async fn the_backlog_is_what_waits(bench: &impl Bench) {
    let queue = bench.open().await;
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 0);
    publish(&*queue, &["a", "b", "c"]).await;
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 3);
    assert_eq!(queue.backlog(Route::Events).await.unwrap(), 0);
    assert_eq!(waiting(&*queue, Route::Tasks).await.len(), 3);
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 0);
}
