//! The deliveries to one consumer.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use postroom_events::{Consumer, EventEnvelope};
use postroom_retry::{Jitter, policies::INFRASTRUCTURE};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tracing::{error, warn};

use super::{QueueEntry, QueueError, Settlement, queues::Queues};
use crate::{Delivery, Settle, Subscription, Tag};

#[derive(Debug)]
pub(crate) struct EmbeddedSubscription {
    queues: Arc<Queues>,
    consumer: Consumer,
    prefetch: usize,
    /// A claim under way. It is a task of its own, so that a caller who stops waiting does not lose what it claims.
    claiming: Option<oneshot::Receiver<Result<Vec<QueueEntry>, QueueError>>>,
    /// Claimed, readable, and not handed out yet.
    ready: VecDeque<Delivery>,
    /// Handed out and not settled.
    outstanding: BTreeSet<i64>,
    /// What the database has not been told yet.
    unsettled: Settlement,
    failures: u32,
}

impl EmbeddedSubscription {
    pub(crate) fn new(queues: Arc<Queues>, consumer: Consumer, prefetch: u16) -> Self {
        Self {
            queues,
            consumer,
            prefetch: usize::from(prefetch.max(1)),
            claiming: None,
            ready: VecDeque::new(),
            outstanding: BTreeSet::new(),
            unsettled: Settlement::default(),
            failures: 0,
        }
    }

    /// Tells the database what became of deliveries. What fails is kept and told again.
    async fn flush(&mut self) -> Result<(), QueueError> {
        self.unsettled
            .requeued
            .extend(self.queues.take_abandoned(self.consumer));
        if self.unsettled.is_empty() {
            return Ok(());
        }
        self.queues.store.settle(self.consumer, &self.unsettled).await?;
        let requeued = !self.unsettled.requeued.is_empty();
        self.unsettled = Settlement::default();
        if requeued {
            self.queues.wake(self.consumer);
        }
        Ok(())
    }

    /// Claims what there is room for. Whether anything came.
    async fn claim(&mut self, max: usize) -> Result<bool, QueueError> {
        self.flush().await?;
        let room = self
            .prefetch
            .saturating_sub(self.outstanding.len() + self.ready.len());
        let wanted = max.saturating_sub(self.ready.len()).min(room);
        if self.claiming.is_none() {
            if wanted == 0 {
                return Ok(false);
            }
            self.claiming = Some(spawn_claim(Arc::clone(&self.queues), self.consumer, wanted));
        }
        let Some(claiming) = &mut self.claiming else {
            return Ok(false);
        };
        let claimed = claiming.await;
        self.claiming = None;
        let entries = claimed.unwrap_or_else(|_| Ok(Vec::new()))?; // a task that died claimed nothing we know of
        let came = !entries.is_empty();
        for entry in entries {
            self.accept(entry);
        }
        Ok(came)
    }

    fn accept(&mut self, entry: QueueEntry) {
        let redeliveries = entry.delivery_count.saturating_sub(1);
        if redeliveries > self.queues.config.delivery_limit {
            let reason = format!(
                "It was handed out {redeliveries} times and never settled: the process crashed or hung each time."
            );
            return self.unsettled.dead.push((entry.position, reason));
        }
        match serde_json::from_value::<EventEnvelope>(entry.envelope) {
            Ok(envelope) => self.ready.push_back(Delivery {
                tag: Tag {
                    generation: 0,
                    number: entry.position.unsigned_abs(),
                },
                envelope,
                attempt: entry.attempt,
                replay_id: entry.replay_id,
                redeliveries,
            }),
            Err(error) => {
                error!(bus.consumer = self.consumer.name(), %error, "A delivery is no event; it becomes a dead letter");
                self.unsettled
                    .dead
                    .push((entry.position, format!("It cannot be read: {error}.")));
            }
        }
    }

    /// Claims until `max` are ready, nothing more comes, or the deadline passes; without one, until something came.
    async fn fill(&mut self, max: usize, deadline: Option<Instant>) {
        let queues = Arc::clone(&self.queues);
        while self.ready.len() < max {
            let Some(grown) = queues.grown(self.consumer) else {
                return;
            };
            tokio::pin!(grown);
            grown.as_mut().enable(); // from here on no growth is missed
            match self.claim(max).await {
                Ok(came) => {
                    self.failures = 0;
                    if came && deadline.is_none() {
                        return;
                    }
                    if came {
                        continue;
                    }
                }
                Err(error) => {
                    warn!(bus.consumer = self.consumer.name(), %error, "The queue cannot be read; trying again");
                    self.failures = self.failures.saturating_add(1);
                    let wait = INFRASTRUCTURE.next_delay(self.failures, Jitter::random());
                    tokio::time::sleep(wait.unwrap_or(INFRASTRUCTURE.max_interval)).await;
                    continue;
                }
            }
            let poll = Instant::now() + self.queues.config.poll_interval;
            let waited = timeout_at(deadline.map_or(poll, |deadline| deadline.min(poll)), grown).await;
            if waited.is_err() && deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
        }
    }
}

fn spawn_claim(
    queues: Arc<Queues>,
    consumer: Consumer,
    max: usize,
) -> oneshot::Receiver<Result<Vec<QueueEntry>, QueueError>> {
    let (answer, claiming) = oneshot::channel();
    tokio::spawn(async move {
        let claimed = queues.store.claim(consumer, queues.boot, max).await;
        // The subscription is gone: leave what was claimed to the next one.
        if let Err(Ok(entries)) = answer.send(claimed) {
            queues.abandon(consumer, entries.into_iter().map(|entry| entry.position));
        }
    });
    claiming
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    async fn next_batch(&mut self, max: usize, linger: Duration) -> Vec<Delivery> {
        let max = max.max(1);
        while self.ready.is_empty() {
            self.fill(max, None).await;
        }
        if !linger.is_zero() {
            self.fill(max, Some(Instant::now() + linger)).await;
        }
        let taken = self.ready.len().min(max);
        let batch: Vec<_> = self.ready.drain(..taken).collect();
        self.outstanding
            .extend(batch.iter().map(|delivery| position(delivery.tag)));
        batch
    }

    async fn settle(&mut self, outcomes: Vec<(Tag, Settle)>) {
        for (tag, settle) in outcomes {
            let position = position(tag);
            if !self.outstanding.remove(&position) {
                continue;
            }
            match settle {
                Settle::Ack => self.unsettled.acked.push(position),
                Settle::Requeue => self.unsettled.requeued.push(position),
                Settle::Reject => {
                    self.unsettled
                        .dead
                        .push((position, "Its worker could not handle it.".to_owned()));
                }
            }
        }
        if let Err(error) = self.flush().await {
            warn!(bus.consumer = self.consumer.name(), %error, "A settlement waits for the database");
        }
    }
}

impl Drop for EmbeddedSubscription {
    fn drop(&mut self) {
        if let Some(claiming) = &mut self.claiming {
            claiming.close(); // what it claims from here on is abandoned by its own task
            if let Ok(Ok(entries)) = claiming.try_recv() {
                self.queues
                    .abandon(self.consumer, entries.into_iter().map(|entry| entry.position));
            }
        }
        let unsettled = std::mem::take(&mut self.unsettled);
        let ready = self.ready.iter().map(|delivery| position(delivery.tag));
        let given_back = self
            .outstanding
            .iter()
            .copied()
            .chain(ready)
            .chain(unsettled.acked)
            .chain(unsettled.requeued);
        let dead = unsettled.dead.into_iter().map(|(position, _)| position); // found dead again next time
        self.queues.abandon(self.consumer, given_back.chain(dead));
    }
}

fn position(tag: Tag) -> i64 {
    i64::try_from(tag.number).unwrap_or(i64::MAX)
}
