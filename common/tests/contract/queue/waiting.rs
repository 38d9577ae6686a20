//! Waiting: no longer than was said, no longer than there is nothing, and never in vain.

use std::{pin::pin, task::Poll};

use common::queue::Route;
use futures::{future::join_all, poll};
use tokio::time::{Instant, timeout};

use super::{Bench, LONG, SHORT, about, drain, publish, take};

pub(crate) async fn what_was_published_earlier_waits_for_a_consumer(bench: &impl Bench) {
    let queue = bench.open().await;
    publish(&*queue, &["a"]).await;
    assert_eq!(about(&*take(&mut *queue.consume(Route::Tasks).await.unwrap()).await), "a");
}

/// How much longer, is told by the adapters on paused time.
pub(crate) async fn a_consumer_waits_no_longer_than_it_says(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let start = Instant::now();
    assert!(timeout(LONG, tasks.next(SHORT)).await.expect("it waits on").unwrap().is_none());
    assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
}

pub(crate) async fn a_waiting_consumer_is_woken(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let mut next = pin!(tasks.next(LONG));
    assert!(poll!(&mut next).is_pending());
    publish(&*queue, &["a"]).await;
    assert_eq!(about(&*next.await.unwrap().expect("it was not woken")), "a");
}

pub(crate) async fn every_waiting_consumer_is_woken(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut consumers = join_all((0..8).map(|_| queue.consume(Route::Tasks))).await;
    let mut waits: Vec<_> = consumers.iter_mut().map(|tasks| tasks.as_mut().unwrap().next(LONG)).collect();
    for wait in &mut waits {
        assert!(poll!(wait).is_pending());
    }
    publish(&*queue, &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    for delivery in join_all(waits).await {
        delivery.unwrap().expect("it was not woken").ack().await.unwrap();
    }
}

/// A role waits for a message, a tick or its end, whichever comes first, and drops the other waits.
pub(crate) async fn waiting_can_be_cancelled_and_nothing_is_lost(bench: &impl Bench) {
    let queue = bench.open().await;
    let mut one = queue.consume(Route::Tasks).await.unwrap();
    let mut other = queue.consume(Route::Tasks).await.unwrap();
    let mut seen = Vec::new();
    for number in 0..20 {
        let mut stays = pin!(other.next(LONG));
        {
            let mut cancelled = pin!(one.next(LONG));
            // Both wait, and the one that gives up is the first to be woken.
            if let Poll::Ready(delivery) = poll!(&mut cancelled) {
                panic!("{delivery:?} came again");
            }
            assert!(poll!(&mut stays).is_pending());
            publish(&*queue, &[&number.to_string()]).await;
        }
        let delivery = stays.await.unwrap().expect("the wake-up was lost with who gave up");
        seen.push(about(&*delivery).to_owned());
        delivery.ack().await.unwrap();
    }
    assert_eq!(seen, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    drop(other);
    assert!(drain(&*queue, Route::Tasks, &mut *one).await.is_empty());
}
