//! Outages: they cost time, and no call takes longer than was promised.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use common::queue::{self, Message, Route};
use testbed::eventually;
use tokio::time::sleep;

use super::{Amqp, LATER, PROMISED, comes_at_last, own, publish_at_last, timed};
use crate::{
    child::{Process, orders, say},
    queue::{SHORT, publish, take},
};

#[tokio::test]
async fn a_broker_that_is_frozen_holds_up_no_call() {
    let (bench, broker) = (Amqp::new(), own().await);
    let queue = bench.open_at(&broker).await;
    publish(&*queue, &["a"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let in_hand = take(&mut *tasks).await;
    broker.freeze().unwrap();
    tokio::time::pause();

    let message = Message::about("b");
    let (published, took) = timed(queue.publish(Route::Tasks, &message)).await;
    published.unwrap_err();
    assert!(took < PROMISED, "a publish took {took:?}");
    // A planner has many at once, and is not held up by each of them.
    let (_, took) = timed(async {
        for _ in 0..1_000 {
            queue.publish(Route::Tasks, &message).await.unwrap_err();
        }
    })
    .await;
    assert!(took < 3 * PROMISED, "a thousand took {took:?}");
    let (counted, took) = timed(queue.backlog(Route::Tasks)).await;
    counted.unwrap_err();
    assert!(took < PROMISED, "a count took {took:?}");
    let (_, took) = timed(in_hand.ack()).await;
    assert!(took < PROMISED, "an acknowledgement took {took:?}");
    let (next, took) = timed(tasks.next(SHORT)).await;
    assert!(next.unwrap().is_none() && took < PROMISED, "it took {took:?}");
    let another = bench.open_at(&broker).await;
    let (consumer, took) = timed(another.consume(Route::Tasks)).await;
    consumer.unwrap();
    assert!(took < PROMISED, "to begin took {took:?}");
    let (published, took) = timed(another.publish(Route::Events, &message)).await;
    published.unwrap_err();
    assert!(took < PROMISED, "the first publish took {took:?}");

    tokio::time::resume();
    broker.thaw().unwrap();
    publish_at_last(&*queue, "c").await;
    comes_at_last(&mut *tasks, "c").await;
}

/// Each try to reach a frozen broker has a thread of the client library wait for it.
#[test]
fn a_broker_that_is_frozen_leaves_no_threads_behind() {
    let mut child = Process::start("queue::amqp::outages::child_that_counts_its_threads", &["count"]);
    child.expect("as many as before");
}

#[tokio::test]
#[ignore = "run by another test, as a process of its own"]
async fn child_that_counts_its_threads() {
    if orders().is_none() {
        return;
    }
    let (bench, broker) = (Amqp::new(), own().await);
    let queue = bench.open_at(&broker).await;
    let _tasks = queue.consume(Route::Tasks).await.unwrap();
    publish(&*queue, &["a"]).await;
    let before = threads();
    broker.freeze().unwrap();
    let mut tries = 0;
    let tried = eventually("the frozen broker was tried several times", LATER, async || {
        let failed = queue.publish(Route::Tasks, &Message::about("b")).await.unwrap_err().to_string();
        tries += u32::from(failed.contains("no answer"));
        ensure!(tries > 2, "{tries} times");
        Ok(())
    });
    tried.await.unwrap();
    let few = eventually("few threads are left", LATER, async || {
        ensure!(threads() <= before, "{} threads, {before} before", threads());
        Ok(())
    });
    few.await.unwrap();
    broker.thaw().unwrap();
    assert!(before == 2, "{before} before");
    say("as many as before");
}

/// The threads of the client library in this process.
fn threads() -> usize {
    let all = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = all.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io-loop")).count()
}

#[tokio::test]
async fn killed_again_and_again_the_broker_keeps_what_it_confirmed() {
    let (bench, broker) = (Amqp::new(), own().await);
    let queue = bench.open_at(&broker).await;
    let (seen, over) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    let publishing = async {
        let mut confirmed = BTreeSet::new();
        for number in 0_u64.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let number = number.to_string();
            if queue.publish(Route::Tasks, &Message::about(&number)).await.is_ok() {
                confirmed.insert(number);
            } else {
                sleep(Duration::from_millis(20)).await;
            }
        }
        publish_at_last(&*queue, "last").await;
        confirmed
    };
    let consuming = async {
        let mut tasks = queue.consume(Route::Tasks).await.unwrap();
        loop {
            if let Some(delivery) = tasks.next(SHORT).await.unwrap() {
                let about = delivery.message().unwrap().about.clone();
                let is_last = about == "last";
                seen.lock().unwrap().insert(about);
                let acknowledged = delivery.ack().await;
                if is_last && acknowledged.is_ok() {
                    break;
                }
            }
        }
    };
    let killing = async {
        for _ in 0..3 {
            let before = seen.lock().unwrap().len();
            let flows = eventually("messages flow", LATER, async || {
                let now = seen.lock().unwrap().len();
                ensure!(now > before + 50, "{now} came, {before} before");
                Ok(())
            });
            flows.await.unwrap();
            // RabbitMQ 3.10 writes down late which queues it has; one that was declared just before the kill would be
            // there, but without a leader, and stay so.
            broker.control(&["eval", "lists:foreach(fun dets:sync/1, dets:all())."]).await.unwrap();
            broker.kill();
            broker.restart().await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let (confirmed, (), ()) = tokio::join!(publishing, consuming, killing);
    // The last one may have overtaken some that came back.
    let mut rest = queue.consume(Route::Tasks).await.unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.extend(crate::queue::drain(&*queue, Route::Tasks, &mut *rest).await);
    let lost: Vec<_> = confirmed.difference(&seen).collect();
    assert!(lost.is_empty(), "of {} confirmed are lost: {lost:?}", confirmed.len());
}

#[tokio::test]
async fn a_broker_that_is_short_of_memory_holds_up_no_call() {
    let (bench, broker) = (Amqp::new(), own().await);
    let queue = bench.open_at(&broker).await;
    publish(&*queue, &["a"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    broker.alarm(true).await.unwrap();
    let refused = eventually("a publisher is told", LATER, async || {
        let refused = queue.publish(Route::Tasks, &Message::about("b")).await.err().context("it was taken")?;
        ensure!(refused.to_string().contains("short of memory or disk"), "{refused}");
        Ok(())
    });
    refused.await.unwrap();
    // What is there goes out still.
    take(&mut *tasks).await.ack().await.unwrap();
    tokio::time::pause();
    let ((), took) = timed(async {
        for _ in 0..20 {
            let publish = Message::about("b");
            let (published, took) = timed(queue.publish(Route::Tasks, &publish)).await;
            published.unwrap_err();
            assert!(took < PROMISED, "a publish took {took:?}");
        }
    })
    .await;
    assert!(took < 2 * PROMISED, "twenty took {took:?}");
    let (_, took) = timed(queue.backlog(Route::Tasks)).await;
    assert!(took < PROMISED, "a count took {took:?}");
    tokio::time::resume();

    broker.alarm(false).await.unwrap();
    publish_at_last(&*queue, "c").await;
    comes_at_last(&mut *tasks, "c").await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_yet_is_waited_for() {
    let (bench, broker) = (Amqp::new(), own().await);
    broker.kill();
    let queue = bench.open_at(&broker).await;
    tokio::time::pause();
    let (consumer, took) = timed(queue.consume(Route::Tasks)).await;
    assert!(took < PROMISED, "to begin took {took:?}");
    tokio::time::resume();
    let mut tasks = consumer.unwrap();
    assert!(tasks.next(SHORT).await.unwrap().is_none());
    let refused = queue.publish(Route::Tasks, &Message::about("a")).await.unwrap_err().to_string();
    assert!(refused.contains("refused") && !refused.contains("password"), "{refused}");
    broker.restart().await.unwrap();
    publish_at_last(&*queue, "b").await;
    comes_at_last(&mut *tasks, "b").await;
}

#[tokio::test]
async fn who_listens_to_ci_events_does_so_again_after_a_restart() {
    let (bench, broker) = (Amqp::new(), own().await);
    let queue = bench.open_at(&broker).await;
    let mut ci_events = queue.consume(Route::CiEvents).await.unwrap();
    queue.publish(Route::CiEvents, &Message::about("before")).await.unwrap();
    take(&mut *ci_events).await.ack().await.unwrap();
    broker.kill();
    broker.restart().await.unwrap();
    let heard = eventually("a CI event comes", LATER, async || {
        queue.publish(Route::CiEvents, &Message::about("after")).await?;
        ensure!(ci_events.next(SHORT).await?.is_some(), "nothing comes");
        Ok(())
    });
    heard.await.unwrap();
}

#[tokio::test]
async fn what_is_counted_tells_of_an_outage() {
    let mut registry = prometheus_client::registry::Registry::default();
    let queue = queue::open("amqp://127.0.0.1:1").await.unwrap();
    queue.register(&mut registry);
    queue.publish(Route::Events, &Message::about("a")).await.unwrap_err();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in ["connects_total 0", "connect_failures_total 1", "publish_failures_total 1"] {
        assert!(text.contains(&format!("\nnamespace_manager_queue_{line}\n")), "{text}");
    }
}
