//! A queue within one process.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::timeout};

use super::{Consumer, Delivery, Message, Queue, QueueError, Result, Route};

/// Messages of one route, waiting or in hand.
const CAPACITY: usize = 10_000;

/// CI events that wait for one consumer; as many as a broker keeps.
const MAX_CI_EVENTS: usize = 1_000;

/// Dead letters that are kept to be read; all are counted.
const DEAD_LETTERS_KEPT: usize = 100;

/// A queue that lives and ends with the process.
///
/// A message that waits already is not queued a second time: its consumer checks what is true then, so one check
/// does for both. One that is in hand is, since the check may have been before what happened now.
#[derive(Debug, Default)]
pub(super) struct MemoryQueue {
    events: Arc<Line>,
    tasks: Arc<Line>,
    /// One for each consumer that is there.
    ci_events: Mutex<Vec<Weak<Line>>>,
}

/// The messages of one route, or the CI events for one consumer.
#[derive(Debug, Default)]
struct Line {
    messages: Mutex<Messages>,
    /// Wakes one consumer that waits.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Messages {
    waiting: VecDeque<Message>,
    /// What waits, to be found at once.
    known: HashSet<Message>,
    in_hand: usize,
    dead: VecDeque<Message>,
    dead_in_all: u64,
}

#[derive(Debug)]
struct MemoryConsumer(Arc<Line>);

#[derive(Debug)]
struct MemoryDelivery {
    line: Arc<Line>,
    message: Message,
    settled: bool,
}

impl MemoryQueue {
    /// The line that the consumers of a route share; `None`: each has its own.
    fn line(&self, route: Route) -> Option<&Arc<Line>> {
        match route {
            Route::Events => Some(&self.events),
            Route::Tasks => Some(&self.tasks),
            Route::CiEvents => None,
        }
    }

    /// The lines of those who listen to CI events; the others are forgotten.
    fn ci_events(&self) -> MutexGuard<'_, Vec<Weak<Line>>> {
        let mut ci_events = self.ci_events.lock().unwrap_or_else(PoisonError::into_inner);
        ci_events.retain(|line| line.strong_count() > 0);
        ci_events
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, route: Route, message: &Message) -> Result<()> {
        if let Some(line) = self.line(route) {
            return line.push(message);
        }
        self.ci_events().iter().filter_map(Weak::upgrade).for_each(|line| line.push_over(message));
        Ok(())
    }

    async fn consume(&self, route: Route) -> Result<Box<dyn Consumer>> {
        let line = self.line(route).map_or_else(Arc::default, Arc::clone);
        if route == Route::CiEvents {
            self.ci_events().push(Arc::downgrade(&line));
        }
        Ok(Box::new(MemoryConsumer(line)))
    }

    async fn backlog(&self, route: Route) -> Result<usize> {
        Ok(self.line(route).map_or(0, |line| line.messages().waiting.len()))
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self, wait: Duration) -> Result<Option<Box<dyn Delivery>>> {
        let arrival = async {
            loop {
                // Taking is the last step, so a caller that is cancelled has taken nothing; and a consumer that is cancelled
                // after it was woken wakes another.
                match Line::take(&self.0) {
                    Some(delivery) => break delivery,
                    None => self.0.arrived.notified().await,
                }
            }
        };
        Ok(timeout(wait, arrival).await.ok().map(|delivery| Box::new(delivery) as Box<dyn Delivery>))
    }
}

#[async_trait]
impl Delivery for MemoryDelivery {
    fn message(&self) -> Option<&Message> {
        Some(&self.message)
    }

    async fn ack(mut self: Box<Self>) -> Result<()> {
        self.settle(|_, _| ());
        Ok(())
    }

    async fn reject(mut self: Box<Self>) -> Result<()> {
        self.settle(Messages::bury);
        Ok(())
    }
}

impl Drop for MemoryDelivery {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(Messages::put_back);
            self.line.arrived.notify_one();
        }
    }
}

impl MemoryDelivery {
    fn settle(&mut self, how: impl FnOnce(&mut Messages, &Message)) {
        self.settled = true;
        let mut messages = self.line.messages();
        messages.in_hand -= 1;
        how(&mut messages, &self.message);
    }
}

impl Line {
    fn push(&self, message: &Message) -> Result<()> {
        let mut messages = self.messages();
        if messages.known.contains(message) {
            return Ok(());
        }
        if messages.waiting.len() + messages.in_hand >= CAPACITY {
            return Err(QueueError::Full);
        }
        messages.known.insert(message.clone());
        messages.waiting.push_back(message.clone());
        drop(messages);
        self.arrived.notify_one();
        Ok(())
    }

    /// As [`Line::push`]; the oldest that waits makes room.
    fn push_over(&self, message: &Message) {
        let mut messages = self.messages();
        if !messages.known.insert(message.clone()) {
            return;
        }
        messages.waiting.push_back(message.clone());
        if messages.waiting.len() > MAX_CI_EVENTS
            && let Some(oldest) = messages.waiting.pop_front()
        {
            messages.known.remove(&oldest);
        }
        drop(messages);
        self.arrived.notify_one();
    }

    fn take(self: &Arc<Self>) -> Option<MemoryDelivery> {
        let mut messages = self.messages();
        let message = messages.waiting.pop_front()?;
        messages.known.remove(&message);
        messages.in_hand += 1;
        let more = !messages.waiting.is_empty();
        drop(messages);
        if more {
            // Several arrivals leave one wake-up when nobody waited for them; so it is handed on.
            self.arrived.notify_one();
        }
        Some(MemoryDelivery { line: Arc::clone(self), message, settled: false })
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Messages {
    /// First in line again, unless the same message came in meanwhile.
    fn put_back(&mut self, message: &Message) {
        if self.known.insert(message.clone()) {
            self.waiting.push_front(message.clone());
        }
    }

    fn bury(&mut self, message: &Message) {
        self.dead_in_all += 1;
        self.dead.push_back(message.clone());
        if self.dead.len() > DEAD_LETTERS_KEPT {
            self.dead.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn dead_letters_are_counted_and_the_last_are_kept() {
        let queue = MemoryQueue::default();
        let mut tasks = queue.consume(Route::Tasks).await.unwrap();
        for number in 0..=DEAD_LETTERS_KEPT {
            queue.publish(Route::Tasks, &Message::about(number.to_string())).await.unwrap();
            tasks.next(Duration::ZERO).await.unwrap().unwrap().reject().await.unwrap();
        }
        let messages = queue.tasks.messages();
        assert_eq!((messages.dead_in_all, messages.dead.len()), (101, 100));
        assert_eq!((&messages.dead[0], messages.in_hand), (&Message::about("1"), 0));
    }
}
