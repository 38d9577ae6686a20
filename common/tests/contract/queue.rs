//! The queue's suite.

mod amqp;
mod ci_events;
mod deliveries;
mod memory;
mod waiting;

use std::time::Duration;

use common::queue::{self, Consumer, Delivery, Message, Queue, Route, SharedQueue};

/// A new, empty queue.
pub(crate) trait Bench {
    fn url(&self) -> String;

    async fn open(&self) -> SharedQueue {
        queue::open(&self.url()).await.unwrap()
    }
}

/// A guard against a hang, for whatever is to come.
const LONG: Duration = Duration::from_secs(180);

/// For one check whether something comes: nothing may be concluded from it.
const SHORT: Duration = Duration::from_millis(300);

/// The whole suite, for an adapter, what makes its [`Bench`], and the attribute its tests run under.
macro_rules! suite {
    ($adapter:ident, $bench:path, $runs:meta) => {
        $crate::queue::suite! { @ $adapter, $bench, $runs,
            deliveries {
                messages_come_in_order
                what_is_acknowledged_does_not_come_again
                what_is_dropped_comes_again_and_first
                what_is_in_hand_when_its_consumer_goes_comes_again
                what_is_rejected_does_not_come_again
                routes_are_apart
                of_identical_messages_that_wait_one_comes_at_least
                a_message_published_while_its_like_is_in_hand_comes
                consumers_share_the_messages
                the_backlog_is_what_waits
            }
            ci_events {
                each_consumer_has_every_ci_event
                a_ci_event_to_nobody_is_taken_and_waits_for_nobody
                ci_events_are_apart_from_the_other_routes
                a_consumer_that_went_holds_up_no_ci_event
                of_too_many_ci_events_the_last_are_there
            }
            waiting {
                what_was_published_earlier_waits_for_a_consumer
                a_consumer_waits_no_longer_than_it_says
                a_waiting_consumer_is_woken
                every_waiting_consumer_is_woken
                waiting_can_be_cancelled_and_nothing_is_lost
            }
        }
    };
    (@ $adapter:ident, $bench:path, $runs:meta, $($group:ident { $($test:ident)* })*) => {
        mod $adapter {
            $($(
                #[$runs]
                async fn $test() {
                    $crate::queue::$group::$test(&$bench()).await;
                }
            )*)*
        }
    };
}
pub(crate) use suite;

async fn publish(queue: &dyn Queue, messages: &[&str]) {
    for about in messages {
        queue.publish(Route::Tasks, &Message::about(*about)).await.unwrap();
    }
}

/// The next message, still in hand.
async fn take(consumer: &mut dyn Consumer) -> Box<dyn Delivery> {
    consumer.next(LONG).await.unwrap().expect("no message came")
}

fn about(delivery: &dyn Delivery) -> &str {
    &delivery.message().unwrap().about
}

/// Everything that waits, acknowledged: all that comes before what is published now. No other consumer may wait.
async fn drain(queue: &dyn Queue, route: Route, consumer: &mut dyn Consumer) -> Vec<String> {
    let end = format!("end-{:016x}", rand::random::<u64>());
    queue.publish(route, &Message::about(&end)).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let delivery = take(consumer).await;
        let about = about(&*delivery).to_owned();
        delivery.ack().await.unwrap();
        if about == end {
            break seen;
        }
        seen.push(about);
        assert!(seen.len() <= 1_000, "it comes again and again: {seen:?}");
    }
}

/// What waits for one that begins to consume.
async fn waiting(queue: &dyn Queue, route: Route) -> Vec<String> {
    let mut consumer = queue.consume(route).await.unwrap();
    drain(queue, route, &mut *consumer).await
}
