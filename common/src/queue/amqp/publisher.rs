//! What goes out: messages, each confirmed by the broker, and the question how many wait.
//!
//! After a failure the broker is left alone for a moment, and a caller that wants something meanwhile is told so at once: a
//! planner with a thousand tasks must not wait for a thousand timeouts.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lapin::{
    BasicProperties, Confirmation,
    options::BasicPublishOptions,
    types::{ReplyCode, ShortString},
};
use tokio::time::{Instant, interval, timeout};
use tracing::{info, warn};

use super::{Broker, LinkError, REQUEST_TIMEOUT, backoff::Backoff, connection::BrokerConnection};
use crate::queue::{Message, Result, Route};

/// How often a publish that waits polls whether the broker listens at all.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Persistent (AMQP 0-9-1, `delivery-mode`).
const PERSISTENT: u8 = 2;

/// NO_ROUTE (AMQP 0-9-1, reply codes).
const NO_ROUTE: ReplyCode = 312;

#[derive(Debug)]
pub(super) struct Publisher {
    broker: Arc<Broker>,
    state: Mutex<State>,
    /// Held by the caller that connects: the others wait for the outcome.
    connecting: tokio::sync::Mutex<()>,
}

/// What is requested of the broker.
#[derive(Debug)]
enum Errand {
    Publish(Outgoing),
    Count(Route),
}

/// A message, ready to be sent.
#[derive(Debug)]
struct Outgoing {
    exchange: ShortString,
    key: ShortString,
    id: ShortString,
    body: Vec<u8>,
    /// Somebody must be there who takes it.
    mandatory: bool,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Arc<BrokerConnection>>,
    pause: Backoff,
    /// The last failure since which nothing worked, and until when the broker is left alone.
    failed: Option<(String, Instant)>,
}

impl Publisher {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, state: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// Publishes, and waits until the broker has the message.
    pub(super) async fn publish(&self, route: Route, topic: &str, message: &Message) -> Result<()> {
        let body = serde_json::to_vec(message).expect("plain data serializes");
        let (exchange, key) = self.broker.topology.to(route, topic);
        let id = format!("{:032x}", rand::random::<u128>()).into();
        let mandatory = match route {
            Route::Events | Route::Tasks => true,
            Route::CiEvents => false,
        };
        let letter = Outgoing { exchange: exchange.into(), key: key.into(), id, body, mandatory };
        match self.twice(&Errand::Publish(letter)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                self.broker.counts.failed_publishes.inc();
                Err(error.told("publish to the queue"))
            }
        }
    }

    /// How many messages wait. The queue is declared by the way.
    pub(super) async fn backlog(&self, route: Route) -> Result<usize> {
        let counted = self.twice(&Errand::Count(route)).await;
        counted.map_err(|error| error.told("ask the queue how much waits"))
    }

    /// Tries something on the connection there is, and once more on a new one: that a broker was restarted meanwhile may
    /// show only now.
    async fn twice(&self, errand: &Errand) -> std::result::Result<usize, LinkError> {
        let mut last = None;
        let tries = timeout(REQUEST_TIMEOUT, async {
            let (link, fresh) = self.link().await?;
            match self.run(last.insert(link), errand).await {
                Err(LinkError::BrokerConnection(_)) if !fresh => {}
                first => return first,
            }
            self.drop_link(last.as_deref());
            let (link, _) = self.link().await?;
            self.run(last.insert(link), errand).await
        });
        let outcome = tries.await.unwrap_or(Err(LinkError::Late(REQUEST_TIMEOUT)));
        match &outcome {
            Ok(_) => self.works(),
            // The broker answered, and was clear; or it was not asked.
            Err(LinkError::Full | LinkError::Resting(_)) => {}
            // No publisher is deaf.
            Err(
                error @ (LinkError::BrokerConnection(_)
                | LinkError::Late(_)
                | LinkError::Blocked
                | LinkError::Unroutable
                | LinkError::Deaf(..)),
            ) => {
                self.failed(last.as_deref(), error);
            }
        }
        outcome
    }

    async fn run(&self, link: &BrokerConnection, errand: &Errand) -> std::result::Result<usize, LinkError> {
        match errand {
            // A broker that does not listen does not answer.
            Errand::Count(_) if link.is_blocked() => Err(LinkError::Blocked),
            Errand::Count(route) => Ok(self.broker.topology.waiting(&link.channel, *route).await?),
            Errand::Publish(letter) => match send(link, letter).await {
                Err(LinkError::Unroutable) => {
                    // Somebody deleted the queue or its binding.
                    self.broker.topology.declare(&link.channel).await?;
                    send(link, letter).await.map(|()| 0)
                }
                sent => sent.map(|()| 0),
            },
        }
    }

    /// A connection, and whether it was made just now.
    async fn link(&self) -> std::result::Result<(Arc<BrokerConnection>, bool), LinkError> {
        if let Some(link) = self.known()? {
            return Ok((link, false));
        }
        let _connecting = self.connecting.lock().await;
        if let Some(link) = self.known()? {
            return Ok((link, false));
        }
        // A failure is noted here too: those who wait for the outcome would each try again.
        match BrokerConnection::open(&self.broker, "publishes").await {
            Ok(link) => {
                let link = Arc::new(link);
                self.state().link = Some(Arc::clone(&link));
                Ok((link, true))
            }
            Err(error) => {
                self.failed(None, &error);
                Err(LinkError::Resting(error.to_string()))
            }
        }
    }

    fn known(&self) -> std::result::Result<Option<Arc<BrokerConnection>>, LinkError> {
        let state = self.state();
        match &state.failed {
            Some((why, until)) if Instant::now() < *until => Err(LinkError::Resting(why.clone())),
            _ => Ok(state.link.clone().filter(|link| link.is_up())),
        }
    }

    fn works(&self) {
        let mut state = self.state();
        state.pause = Backoff::default();
        if state.failed.take().is_some() {
            info!("the queue `{}` takes messages again", self.broker.address);
        }
    }

    fn failed(&self, link: Option<&BrokerConnection>, error: &LinkError) {
        self.drop_link(link);
        let mut state = self.state();
        let until = Instant::now() + state.pause.next();
        if state.failed.replace((error.to_string(), until)).is_none() {
            let address = &self.broker.address;
            warn!("the queue `{address}` takes no messages, so that what happens is noticed later: {error}");
        }
    }

    /// Ends a connection, and forgets it unless there is another already.
    fn drop_link(&self, link: Option<&BrokerConnection>) {
        let Some(link) = link else { return };
        link.cut();
        let mut state = self.state();
        if state.link.as_deref().is_some_and(|known| std::ptr::eq(known, link)) {
            state.link = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes once, and waits for the confirmation.
async fn send(link: &BrokerConnection, letter: &Outgoing) -> std::result::Result<(), LinkError> {
    let Outgoing { exchange, key, id, body, mandatory } = letter;
    let options = BasicPublishOptions { mandatory: *mandatory, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(id.clone());
    let publishing = async {
        let (exchange, key) = (exchange.clone(), key.clone());
        Ok(link.channel.basic_publish(exchange, key, options, body, properties).await?.await?)
    };
    let blocked = async {
        let mut polls = interval(POLL_INTERVAL);
        while !link.is_blocked() {
            polls.tick().await;
        }
    };
    let confirmation: std::result::Result<_, LinkError> = tokio::select! {
        confirmation = publishing => confirmation,
        () = blocked => Err(LinkError::Blocked),
    };
    match confirmation? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) if returned.reply_code == NO_ROUTE => Err(LinkError::Unroutable),
        Confirmation::Ack(Some(returned)) => {
            Err(LinkError::BrokerConnection(format!("it was returned: {}", returned.reply_text)))
        }
        Confirmation::Nack(_) => Err(LinkError::Full),
        Confirmation::NotRequested => Err(LinkError::BrokerConnection("the channel confirms nothing".to_owned())),
    }
}
