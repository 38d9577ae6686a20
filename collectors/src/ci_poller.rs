//! The queries about pipelines that a collector has open at a time.

use std::time::Duration;

use tokio::{task::JoinSet, time::Instant};

use crate::{
    cache::Cache,
    collector::SharedCollector,
    pipelines::{Answered, is_news},
};

/// How many are open at once.
const CONCURRENCY: usize = 4;

/// The queries of one collector.
pub(crate) struct CiPoller {
    collector: SharedCollector,
    /// Those that are being asked.
    asked: JoinSet<Answered>,
}

impl CiPoller {
    pub(crate) fn new(collector: SharedCollector) -> Self {
        collector.pipelines.refresh(&collector.context.settings());
        Self { collector, asked: JoinSet::new() }
    }

    /// Takes in another configuration: what is queried from other systems than before begins anew.
    pub(crate) fn change(&mut self) {
        if self.collector.pipelines.refresh(&self.collector.context.settings()) {
            self.asked = JoinSet::new();
        }
    }

    /// Asks what is due, for the namespaces that are in the cache.
    pub(crate) fn begin(&mut self, cache: &Cache) {
        let settings = self.collector.context.settings();
        while self.asked.len() < CONCURRENCY {
            let question = self.collector.pipelines.begin(&settings, |uid| cache.get(uid).is_some());
            let Some(question) = question else { return };
            let context = self.collector.context.clone();
            self.asked.spawn(async move { question.ask(&context).await });
        }
    }

    /// The next answer. Nothing is lost where this is not waited for any longer.
    pub(crate) async fn next(&mut self) -> Answered {
        match self.asked.join_next().await {
            Some(answered) => answered.expect("a question does not panic, and nobody waits for one that is broken off"),
            None => std::future::pending().await,
        }
    }

    /// Takes in an answer: those for whom it is news have their turn.
    pub(crate) fn take(&self, answered: &Answered, cache: &mut Cache) {
        let (uids, is_new) = self.collector.pipelines.take(&self.collector.context.settings(), answered);
        for uid in uids {
            let record = cache.get(&uid).and_then(|seen| seen.record.as_ref());
            if is_news(record, answered, is_new) {
                cache.wake(&uid);
            }
        }
    }

    /// How long until another may be asked; `None`: time brings none.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let next = self.collector.pipelines.next(&self.collector.context.settings());
        let is_free = self.asked.len() < CONCURRENCY;
        next.filter(|_| is_free).map(|next| next.saturating_duration_since(Instant::now()))
    }

    /// Whether everything was asked that may be asked now.
    pub(crate) fn are_through(&self) -> bool {
        self.asked.is_empty() && self.until_next().is_none_or(|until| !until.is_zero())
    }

    /// Breaks off those that are being asked.
    pub(crate) async fn end(&mut self) {
        self.asked.shutdown().await;
    }
}
