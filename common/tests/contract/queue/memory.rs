//! The queue in memory: the suite, and its bounds.

use std::time::Duration;

use common::queue::{self, Message, QueueError, Route};
use tokio::time::Instant;

use super::{Bench, SHORT, publish, suite, take};

suite!(contract, super::Memory::new, tokio::test(start_paused = true));

pub(crate) struct Memory;

impl Memory {
    pub(crate) const fn new() -> Self {
        Self
    }
}

impl Bench for Memory {
    fn url(&self) -> String {
        "memory:".to_owned()
    }
}

#[tokio::test]
async fn a_route_has_room_for_ten_thousand_messages_in_hand_or_not() {
    let queue = Memory.open().await;
    for number in 0..10_000 {
        queue.publish(Route::Events, &Message::about(number.to_string())).await.unwrap();
    }
    let publish = async |about: &str| queue.publish(Route::Events, &Message::about(about)).await;
    let mut events = queue.consume(Route::Events).await.unwrap();
    let in_hand = take(&mut *events).await;
    assert!(matches!(publish("one more").await, Err(QueueError::Full)));
    publish("9999").await.expect("what waits already needs no room");
    queue.publish(Route::Tasks, &Message::about("0")).await.expect("the other route has its own room");
    in_hand.ack().await.unwrap();
    publish("one more").await.unwrap();
    assert!(matches!(publish("yet one more").await, Err(QueueError::Full)));
}

#[tokio::test(start_paused = true)]
async fn a_consumer_waits_as_long_as_it_says() {
    let mut tasks = Memory.open().await.consume(Route::Tasks).await.unwrap();
    let start = Instant::now();
    assert!(tasks.next(SHORT).await.unwrap().is_none());
    // To the millisecond, as tokio's timers go.
    assert!(start.elapsed() <= SHORT + Duration::from_millis(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_waits_already_is_not_queued_again() {
    let queue = Memory.open().await;
    publish(&*queue, &["a", "b", "a"]).await;
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 2);
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let in_hand = take(&mut *tasks).await;
    publish(&*queue, &["a"]).await;
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 2);
    drop(in_hand);
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 2, "it comes back to where it waits already");
}

#[tokio::test]
async fn two_queues_of_one_process_are_apart() {
    let (one, other) = (Memory.open().await, Memory.open().await);
    publish(&*one, &["a"]).await;
    assert_eq!(other.backlog(Route::Tasks).await.unwrap(), 0);
}

#[tokio::test]
async fn another_scheme_is_named_and_nothing_else_of_the_url() {
    let check = async |url, text| assert_eq!(queue::open(url).await.unwrap_err().to_string(), text);
    check(
        "pigeon://eve:secret@loft",
        "no queue has the scheme `pigeon`; supported are `memory:`, `amqp://HOST:PORT/VHOST` and `amqps://…`",
    )
    .await;
    let malformed = "the queue's url is not one; supported are `memory:`, `amqp://HOST:PORT/VHOST` and `amqps://…`";
    check("memory", malformed).await;
    check("memory:here", malformed).await;
}
