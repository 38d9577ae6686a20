//! CI events: to everybody who listens, and to nobody else.

use common::queue::{Message, Queue, Route};

use super::{Bench, about, drain, publish, take, waiting};

pub(crate) async fn each_consumer_has_every_ci_event(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut one = queue.consume(Route::CiEvents).await.unwrap();
    let mut other = queue.consume(Route::CiEvents).await.unwrap();
    publish_all(&*queue, &["a", "b"]).await;
    for consumer in [&mut one, &mut other] {
        for expected in ["a", "b"] {
            let delivery = take(&mut **consumer).await;
            assert_eq!(about(&*delivery), expected);
            delivery.ack().await.unwrap();
        }
    }
    drop(other);
    assert_eq!(drain(&*queue, Route::CiEvents, &mut *one).await, [""; 0]);
}

pub(crate) async fn a_ci_event_to_nobody_is_taken_and_waits_for_nobody(bench: &impl Bench) {
    let queue = bench.open().await;
    publish_all(&*queue, &["a"]).await;
    assert_eq!(queue.backlog(Route::CiEvents).await.unwrap(), 0);
    assert!(waiting(&*queue, Route::CiEvents).await.is_empty());
}

pub(crate) async fn ci_events_are_apart_from_the_other_routes(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut ci_events = queue.consume(Route::CiEvents).await.unwrap();
    publish(&*queue, &["task"]).await;
    queue.publish(Route::Events, &Message::about("event")).await.unwrap();
    publish_all(&*queue, &["ci-event"]).await;
    assert_eq!(drain(&*queue, Route::CiEvents, &mut *ci_events).await, ["ci-event"]);
    assert_eq!(waiting(&*queue, Route::Tasks).await, ["task"]);
    assert_eq!(waiting(&*queue, Route::Events).await, ["event"]);
}

pub(crate) async fn a_consumer_that_went_holds_up_no_ci_event(bench: &impl Bench) {
    let queue = bench.open().await;
    drop(queue.consume(Route::CiEvents).await.unwrap());
    let mut stays = queue.consume(Route::CiEvents).await.unwrap();
    publish_all(&*queue, &["a"]).await;
    assert_eq!(drain(&*queue, Route::CiEvents, &mut *stays).await, ["a"]);
}

/// A thousand wait, and the one that is on its way already.
pub(crate) async fn of_too_many_ci_events_the_last_are_there(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut ci_events = queue.consume(Route::CiEvents).await.unwrap();
    for number in 0..1_100 {
        publish_all(&*queue, &[&number.to_string()]).await;
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&1_099) {
        let delivery = take(&mut *ci_events).await;
        seen.push(about(&*delivery).parse::<u32>().unwrap());
        delivery.ack().await.unwrap();
    }
    let last: Vec<_> = (100..1_100).collect();
    assert!(seen.ends_with(&last) && seen.len() <= 1_001, "{seen:?}");
}

async fn publish_all(queue: &dyn Queue, ci_events: &[&str]) {
    for about in ci_events {
        queue.publish(Route::CiEvents, &Message::about(*about)).await.unwrap();
    }
}
