//! What comes in: messages of one route, for all consumers of this process.
//!
//! One subscription serves them (of CI events, each consumer has its own), so that a message never waits at a consumer that does not ask while another does. The
//! broker hands out as many at a time as there are consumers, and the next ones go to other processes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use lapin::{
    Acker, Channel,
    options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions},
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

use super::{
    Broker, LinkError, REQUEST_TIMEOUT,
    backoff::Backoff,
    connection::BrokerConnection,
    silence::{Next, Silence, Told, is_deaf, next},
    topology::Topology,
};
use crate::queue::{Consumer, Delivery, Message, Result, Route};

/// A body longer than this is none of ours.
const MAX_BODY_BYTES: usize = 4_096;

/// How long a consumer that begins waits until the broker knows of it.
const BEGIN: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Subscription {
    broker: Arc<Broker>,
    line: Arc<ConsumerChannel>,
}

/// The messages that came and were not taken yet.
#[derive(Debug)]
struct ConsumerChannel {
    route: Route,
    state: Mutex<State>,
    /// Wakes one consumer that waits.
    arrived: Notify,
    /// How many consumers there are: as many messages may be in hand.
    consumers: watch::Sender<u16>,
    /// Of how many consumers the broker knows; none while it is out of reach.
    subscribed: watch::Sender<u16>,
}

#[derive(Debug, Default)]
struct State {
    arrived: VecDeque<Arrived>,
    /// How many messages were taken and are not settled.
    taken: usize,
    /// When something came last, or was settled; `None`: never.
    moved: Option<Instant>,
    /// The subscription; it ends when this is dropped.
    subscription: Option<JoinSet<()>>,
}

#[derive(Debug)]
struct Arrived {
    /// `None` where it cannot be decoded.
    message: Option<Message>,
    acker: Acker,
}

#[derive(Debug)]
struct AmqpConsumer(Arc<ConsumerChannel>);

#[derive(Debug)]
struct AmqpDelivery {
    message: Option<Message>,
    /// `None` once it is settled.
    acker: Option<Acker>,
    _taken: Taken,
}

/// A message that was taken, until this is dropped.
#[derive(Debug)]
struct Taken(Arc<ConsumerChannel>);

impl Subscription {
    pub(super) fn new(broker: Arc<Broker>, route: Route) -> Self {
        let line = ConsumerChannel {
            route,
            state: Mutex::default(),
            arrived: Notify::new(),
            consumers: watch::Sender::new(0),
            subscribed: watch::Sender::new(0),
        };
        Self { broker, line: Arc::new(line) }
    }

    /// Begins to consume. A broker that is out of reach is waited for by `next`.
    pub(super) async fn consumer(&self) -> impl Consumer + use<> {
        let consumer = AmqpConsumer(Arc::clone(&self.line));
        self.line.consumers.send_modify(|consumers| *consumers += 1);
        self.line.state().subscription.get_or_insert_with(|| {
            let mut tasks = JoinSet::new();
            tasks.spawn(subscribe(Arc::clone(&self.broker), Arc::clone(&self.line)));
            tasks
        });
        let (mut subscribed, consumers) = (self.line.subscribed.subscribe(), *self.line.consumers.borrow());
        let _ = timeout(BEGIN, subscribed.wait_for(|subscribed| *subscribed >= consumers)).await;
        consumer
    }
}

/// Keeps a subscription for as long as it is not dropped.
async fn subscribe(broker: Arc<Broker>, line: Arc<ConsumerChannel>) {
    let mut pause = Backoff::default();
    let mut told = false;
    loop {
        let ended = serve(&broker, &line, || {
            pause = Backoff::default();
            if std::mem::take(&mut told) {
                info!("messages come from the queue `{}` again", broker.address);
            }
        });
        let error = ended.await;
        line.subscribed.send_replace(0);
        // What came on that connection comes again.
        line.state().arrived.clear();
        if !std::mem::replace(&mut told, true) {
            warn!("no messages come from the queue `{}`, which is tried again: {error}", broker.address);
        }
        sleep(pause.next()).await;
    }
}

/// Takes in what comes, until something is wrong.
async fn serve(broker: &Broker, line: &ConsumerChannel, mut begins: impl FnMut()) -> LinkError {
    let link = match BrokerConnection::open(broker, "consumes").await {
        Ok(link) => link,
        Err(error) => return error,
    };
    let served = serve_on(&link, broker, line, &mut begins).await;
    link.cut();
    match served {
        Ok(()) => LinkError::BrokerConnection("the queue was deleted".to_owned()),
        Err(error) => error,
    }
}

async fn serve_on(
    link: &BrokerConnection,
    broker: &Broker,
    line: &ConsumerChannel,
    begins: &mut impl FnMut(),
) -> std::result::Result<(), LinkError> {
    let mut consumers = line.consumers.subscribe();
    loop {
        let prefetch = *consumers.borrow_and_update();
        let subscribing = async {
            link.channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let queue = broker.topology.inlet(&link.channel, line.route).await?;
            let options = BasicConsumeOptions::default();
            let coming = link.channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default()).await?;
            Ok::<_, lapin::Error>((queue, coming))
        };
        let (queue, mut coming) =
            timeout(REQUEST_TIMEOUT, subscribing).await.map_err(|_| LinkError::Late(REQUEST_TIMEOUT))??;
        let mut asked = Instant::now();
        line.subscribed.send_replace(prefetch);
        begins();
        loop {
            tokio::select! {
                biased;
                delivery = coming.next() => match delivery {
                    Some(delivery) => line.push(delivery?),
                    None => return Ok(()),
                },
                Ok(()) = consumers.changed() => break,
                told = ask(&link.channel, &queue, line, asked) => {
                    let (told, silence) = (told?, line.silence(asked));
                    if is_deaf(silence, told) {
                        return Err(LinkError::Deaf(silence.lasts, told));
                    }
                    asked = Instant::now();
                }
            }
        }
        // The prefetch of a subscription cannot be changed, so another follows.
        let ending = async {
            link.channel.basic_cancel(coming.tag(), lapin::options::BasicCancelOptions::default()).await?;
            while let Some(delivery) = coming.next().await {
                line.push(delivery?);
            }
            Ok::<_, lapin::Error>(())
        };
        timeout(REQUEST_TIMEOUT, ending).await.map_err(|_| LinkError::Late(REQUEST_TIMEOUT))??;
    }
}

/// Queries the broker about the queue, as soon as that is called for. Whatever comes first ends it: nothing is queried then.
async fn ask(
    channel: &Channel,
    queue: &ShortString,
    line: &ConsumerChannel,
    asked: Instant,
) -> std::result::Result<Told, LinkError> {
    while let Next::Wait(pause) = next(line.silence(asked)) {
        sleep(pause).await;
    }
    let told = timeout(REQUEST_TIMEOUT, Topology::ask(channel, queue)).await;
    Ok(told.map_err(|_| LinkError::Late(REQUEST_TIMEOUT))??)
}

impl ConsumerChannel {
    /// What is known of the subscription, as the broker answered then.
    fn silence(&self, asked: Instant) -> Silence {
        let state = self.state();
        let asked = asked.elapsed();
        // Before the first message the subscription itself is what came last.
        let lasts = state.moved.map_or(asked, |moved| moved.elapsed());
        Silence { lasts, asked, in_hand: state.taken + state.arrived.len() }
    }

    fn push(&self, delivery: lapin::message::Delivery) {
        let message = (delivery.data.len() <= MAX_BODY_BYTES).then(|| serde_json::from_slice(&delivery.data).ok());
        let mut state = self.state();
        state.moved = Some(Instant::now());
        state.arrived.push_back(Arrived { message: message.flatten(), acker: delivery.acker });
        drop(state);
        self.arrived.notify_one();
    }

    fn take(self: &Arc<Self>) -> Option<AmqpDelivery> {
        let mut state = self.state();
        let Arrived { message, acker } = state.arrived.pop_front()?;
        state.taken += 1;
        let more = !state.arrived.is_empty();
        drop(state);
        if more {
            // Several arrivals leave one wake-up when nobody waited for them; so it is handed on.
            self.arrived.notify_one();
        }
        Some(AmqpDelivery { message, acker: Some(acker), _taken: Taken(Arc::clone(self)) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn next(&mut self, wait: Duration) -> Result<Option<Box<dyn Delivery>>> {
        let arrival = async {
            loop {
                // Taking is the last step, so a caller that is cancelled has taken nothing; and a consumer that is cancelled
                // after it was woken wakes another.
                match self.0.take() {
                    Some(delivery) => break delivery,
                    None => self.0.arrived.notified().await,
                }
            }
        };
        Ok(timeout(wait, arrival).await.ok().map(|delivery| Box::new(delivery) as Box<dyn Delivery>))
    }
}

impl Drop for AmqpConsumer {
    fn drop(&mut self) {
        self.0.consumers.send_modify(|consumers| *consumers -= 1);
        if *self.0.consumers.borrow() == 0 {
            // The broker hands out again what was on the way.
            let mut state = self.0.state();
            state.arrived.clear();
            state.subscription = None;
            self.0.subscribed.send_replace(0);
        }
    }
}

#[async_trait]
impl Delivery for AmqpDelivery {
    fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    async fn ack(mut self: Box<Self>) -> Result<()> {
        self.settle("acknowledge a message", async |acker| acker.ack(BasicAckOptions::default()).await).await
    }

    async fn reject(mut self: Box<Self>) -> Result<()> {
        self.settle("reject a message", async |acker| acker.reject(BasicRejectOptions::default()).await).await
    }
}

impl AmqpDelivery {
    async fn settle(&mut self, doing: &str, how: impl AsyncFnOnce(&Acker) -> lapin::Result<bool>) -> Result<()> {
        let acker = self.acker.take().expect("a delivery is settled once, as that consumes it");
        let settled = match timeout(REQUEST_TIMEOUT, how(&acker)).await {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => LinkError::BrokerConnection("its connection was lost, so that it comes again".to_owned()),
            Ok(Err(error)) => error.into(),
            Err(_) => LinkError::Late(REQUEST_TIMEOUT),
        };
        Err(settled.told(doing))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.taken -= 1;
        state.moved = Some(Instant::now());
    }
}

impl Drop for AmqpDelivery {
    fn drop(&mut self) {
        if let Some(acker) = self.acker.take() {
            // Handed to the library by the first poll; nobody waits for the rest.
            let back = acker.nack(BasicNackOptions { multiple: false, requeue: true });
            let _ = back.now_or_never();
        }
    }
}
