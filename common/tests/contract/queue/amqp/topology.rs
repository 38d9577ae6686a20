//! What is declared at the broker, and what happens to messages that are none.

use anyhow::{Context as _, ensure};
use common::queue::{Message, QueueError, Route};
use futures::{StreamExt, future::join_all};
use lapin::{
    BasicProperties, Channel,
    options::{
        BasicConsumeOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
        QueuePurgeOptions,
    },
    types::FieldTable,
};
use testbed::eventually;

use super::{Amqp, LATER, comes_at_last, publish_at_last, shared, stranger};
use crate::queue::{Bench, SHORT, about, drain, publish, take, waiting};

#[tokio::test]
async fn a_queue_that_was_deleted_is_declared_again_by_who_publishes() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    publish(&*queue, &["lost"]).await;
    let (_connection, channel) = stranger(shared().await).await;
    delete(&channel, &bench.name("actions.v1")).await;
    publish(&*queue, &["kept"]).await;
    assert_eq!(waiting(&*queue, Route::Tasks).await, ["kept"]);
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_declared_again_by_who_consumes() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    let mut events = queue.consume(Route::Events).await.unwrap();
    let (connection, channel) = stranger(shared().await).await;
    let name = bench.name("plan.v1");
    delete(&channel, &name).await;
    // Nobody publishes before: that would declare it, too.
    eventually("it is there again", LATER, async || {
        let asking = connection.create_channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        asking.queue_declare(name.as_str().into(), options, FieldTable::default()).await?;
        Ok(())
    })
    .await
    .unwrap();
    let heard = eventually("an event comes", LATER, async || {
        queue.publish(Route::Events, &Message::about("a")).await?;
        ensure!(events.next(SHORT).await?.is_some(), "nothing comes");
        Ok(())
    });
    heard.await.unwrap();
}

/// Each time it is the publisher or the consumer who declares it again first, and the broker may do so with the subscription.
#[tokio::test]
async fn who_consumes_hears_again_of_a_queue_that_was_deleted_while_others_published() {
    let bench = Amqp::new();
    let (queue, others) = (bench.open().await, bench.open().await);
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let (_connection, channel) = stranger(shared().await).await;
    let name = bench.name("actions.v1");
    for round in 0..20 {
        let number = round.to_string();
        tokio::join!(delete(&channel, &name), publish_at_last(&*others, &number));
    }
    let heard = eventually("a task comes", LATER, async || {
        others.publish(Route::Tasks, &Message::about("last")).await?;
        let delivery = tasks.next(SHORT).await?.context("nothing comes")?;
        let found = about(&*delivery).to_owned();
        // Where that fails it comes again, which does no harm here.
        let _ = delivery.ack().await;
        ensure!(found == "last", "`{found}` came");
        Ok(())
    });
    heard.await.unwrap();
}

#[tokio::test]
async fn exchanges_that_were_deleted_are_declared_again() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    publish(&*queue, &["a"]).await;
    let (_connection, channel) = stranger(shared().await).await;
    for exchange in ["tasks", "events"] {
        channel.exchange_delete(bench.name(exchange).into(), Default::default()).await.unwrap();
    }
    publish(&*queue, &["b"]).await;
    assert_eq!(waiting(&*queue, Route::Tasks).await, ["a", "b"]);
}

#[tokio::test]
async fn after_a_purge_everything_goes_on() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    publish(&*queue, &["a", "b"]).await;
    let (_connection, channel) = stranger(shared().await).await;
    channel.queue_purge(bench.name("actions.v1").into(), QueuePurgeOptions::default()).await.unwrap();
    assert_eq!(queue.backlog(Route::Tasks).await.unwrap(), 0);
    publish(&*queue, &["c"]).await;
    assert_eq!(waiting(&*queue, Route::Tasks).await, ["c"]);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_no_message_and_goes_to_the_dead_letters() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    let (_connection, channel) = stranger(shared().await).await;
    let long = format!(r#"{{"v":1,"about":"{}"}}"#, "a".repeat(100_000));
    let forged = [r#"{"v":1}"#, "[[[[", "\u{0}", "", long.as_str(), r#"{"v":1,"about":{"namespace":"kube-system"}}"#];
    for body in forged {
        let (exchange, key) = (bench.name("tasks").into(), "task".into());
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await.unwrap().await.unwrap();
        let delivery = take(&mut *tasks).await;
        assert_eq!(delivery.message(), None, "{body:.40}");
        delivery.reject().await.unwrap();
    }
    dead_letters(&channel, &bench, 6).await;
    // One of another version says what to check like any other.
    let body = br#"{"v":7,"about":"a","believe":"me"}"#;
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish(bench.name("tasks").into(), "task".into(), options, body, properties).await.unwrap();
    assert_eq!(take(&mut *tasks).await.message(), Some(&Message { v: 7, about: "a".to_owned() }));
}

#[tokio::test]
async fn what_its_consumers_die_of_goes_to_the_dead_letters_after_twenty_deliveries() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    publish(&*queue, &["deadly", "other"]).await;
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    for number in 0..=20 {
        let delivery = take(&mut *tasks).await;
        assert_eq!(about(&*delivery), "deadly", "delivery {number}");
    }
    assert_eq!(drain(&*queue, Route::Tasks, &mut *tasks).await, ["other"]);
    let (_connection, channel) = stranger(shared().await).await;
    dead_letters(&channel, &bench, 1).await;
}

#[tokio::test]
async fn others_may_listen_to_what_becomes_of_namespaces() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    let mut events = queue.consume(Route::Events).await.unwrap();
    let (_connection, channel) = stranger(shared().await).await;
    let mut feed = feed(&channel, &bench, "namespace.failed").await;
    for (topic, uid) in [("ok", "a"), ("failed", "b"), ("gone", "c"), ("failed", "d")] {
        queue.publish_event(topic, &Message::about(uid)).await.unwrap();
    }
    for expected in [r#"{"v":1,"about":"b"}"#, r#"{"v":1,"about":"d"}"#] {
        let heard = feed.next().await.unwrap().unwrap();
        assert_eq!(str::from_utf8(&heard.data).unwrap(), expected);
        assert_eq!(heard.routing_key.as_str(), "namespace.failed");
        let properties = heard.properties;
        assert_eq!(properties.delivery_mode(), &Some(2), "it is persistent");
        assert_eq!(properties.message_id().as_ref().unwrap().as_str().len(), 32);
    }
    assert_eq!(drain(&*queue, Route::Events, &mut *events).await, ["a", "b", "c", "d"], "the planner hears them all");
}

#[tokio::test]
async fn each_process_hears_of_a_ci_event_and_none_leaves_anything_behind() {
    let bench = Amqp::new();
    let queues = [bench.open().await, bench.open().await];
    let mut ci_events = join_all(queues.iter().map(|queue| queue.consume(Route::CiEvents))).await;
    queues[0].publish(Route::CiEvents, &Message::about("a")).await.unwrap();
    for consumer in &mut ci_events {
        let delivery = take(&mut **consumer.as_mut().unwrap()).await;
        assert_eq!(about(&*delivery), "a");
        delivery.ack().await.unwrap();
    }
    let listening = async || {
        let queues = shared().await.control(&["list_queues", "--silent", "name"]).await?;
        anyhow::Ok(queues.lines().filter(|name| name.starts_with(&bench.name("hints."))).count())
    };
    assert_eq!(listening().await.unwrap(), 2);
    drop(ci_events);
    let gone = eventually("their queues are gone", LATER, async || {
        let listening = listening().await?;
        ensure!(listening == 0, "{listening} are there");
        Ok(())
    });
    gone.await.unwrap();
}

#[tokio::test]
async fn a_queue_has_room_for_ten_thousand_messages() {
    let bench = Amqp::new();
    let queue = bench.open().await;
    let mut refused = 0;
    // The broker counts what it has taken already, so a few more get in.
    for hundred in 0..110 {
        let numbers = (0..100).map(|number| Message::about((hundred * 100 + number).to_string()));
        let numbers: Vec<_> = numbers.collect();
        for outcome in join_all(numbers.iter().map(|number| queue.publish(Route::Tasks, number))).await {
            match outcome {
                Ok(()) => {}
                Err(QueueError::Full) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    let waiting = queue.backlog(Route::Tasks).await.unwrap();
    assert!((10_000..10_900).contains(&waiting), "{waiting} wait");
    assert_eq!(refused, 11_000 - waiting);
    let mut tasks = queue.consume(Route::Tasks).await.unwrap();
    comes_at_last(&mut *tasks, "99").await;
}

async fn delete(channel: &Channel, queue: &str) {
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
}

/// A queue of somebody else, bound to the public feed.
async fn feed(channel: &Channel, bench: &Amqp, key: &str) -> lapin::Consumer {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap().name().clone();
    let (exchange, options) = (bench.name("events").into(), QueueBindOptions::default());
    channel.queue_bind(queue.clone(), exchange, key.into(), options, FieldTable::default()).await.unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap()
}

/// Waits until so many are there.
async fn dead_letters(channel: &Channel, bench: &Amqp, expected: u32) {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let there = eventually("the dead letters are there", LATER, async || {
        let dead = channel.queue_declare(bench.name("dead.v1").into(), options, FieldTable::default()).await?;
        ensure!(dead.message_count() == expected, "{} are there", dead.message_count());
        Ok(())
    });
    there.await.unwrap();
}
