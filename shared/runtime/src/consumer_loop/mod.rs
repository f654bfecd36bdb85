//! The event loop of a consumer: takes deliveries in batches, lets the handler act and apply, settles.
//!
//! Everything that a batch leaves behind - the handlers' state and events, what was handled, what is tried again, what
//! is given up - is one transaction; the bus is told only when it is on disk. A crash at any point means that
//! deliveries come again, and what was handled for good is dropped then.

mod batch;
mod conclusion;
mod handler;
mod job;

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::StreamExt;
use postroom_bus::{Bus, Delivery, Settle, Subscription, SubscriptionOptions, Tag};
use postroom_events::{EventId, ReplayId};
use postroom_retry::{
    Jitter, RetryPolicy,
    policies::{HANDLE_EVENT, INFRASTRUCTURE},
};
use postroom_store::{Store, StoreError, handled};
use postroom_telemetry::names;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use self::handler::{Answer, HandledEvent, Handler, HandlerError, Verdict};
use self::job::Job;

/// How a loop takes and handles deliveries.
#[derive(Debug, Clone, Copy)]
pub struct LoopOptions {
    /// Deliveries that may be out and not settled.
    pub prefetch: u16,
    /// Deliveries in one transaction at most.
    pub max_batch: usize,
    /// Calls of [`Handler::act`] under way at once.
    pub concurrency: usize,
    /// A call of [`Handler::act`] that takes longer is given up and tried again. Far below the broker's own limit for
    /// an unsettled delivery (30 minutes).
    pub act_limit: Duration,
    /// When to try again, and when to give up.
    pub policy: RetryPolicy,
}

impl LoopOptions {
    /// For handlers that only write rows: large batches, one round to the disk for all.
    pub const ROWS_ONLY: Self = Self {
        prefetch: 500,
        max_batch: 250,
        concurrency: 64,
        act_limit: Duration::from_secs(60),
        policy: HANDLE_EVENT,
    };
    /// For handlers that wait for servers outside: a delivery that is slow holds few others up.
    pub const OUTSIDE: Self = Self {
        prefetch: 50,
        max_batch: 25,
        concurrency: 25,
        act_limit: Duration::from_secs(300),
        policy: HANDLE_EVENT,
    };
}

/// The event loop of one consumer.
pub struct ConsumerLoop<H> {
    store: Store,
    bus: Arc<dyn Bus>,
    handler: H,
    options: LoopOptions,
}

impl<H> std::fmt::Debug for ConsumerLoop<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsumerLoop")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<H: Handler> ConsumerLoop<H> {
    /// A loop over the handler's queue.
    pub fn new(store: Store, bus: Arc<dyn Bus>, handler: H, options: LoopOptions) -> Self {
        Self {
            store,
            bus,
            handler,
            options,
        }
    }

    /// Runs until `shutdown` is cancelled, and finishes the batch in hand before it ends. Several loops of one
    /// consumer share its queue.
    pub async fn run(self, shutdown: CancellationToken) {
        let options = SubscriptionOptions {
            prefetch: self.options.prefetch,
        };
        let mut subscription = self.bus.subscribe(self.handler.consumer(), options);
        while let Some(batch) = self.next_batch(&mut *subscription, &shutdown).await {
            // Nothing to settle: the process stops while the database is away, and the deliveries come again.
            let Some(outcomes) = self.handle(batch, &shutdown).await else {
                return;
            };
            subscription.settle(outcomes).await;
        }
    }

    async fn next_batch(
        &self,
        subscription: &mut dyn Subscription,
        shutdown: &CancellationToken,
    ) -> Option<Vec<Delivery>> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            // No lingering: a batch is whatever has arrived, so it is small when there is little to do.
            batch = subscription.next_batch(self.options.max_batch, Duration::ZERO) => Some(batch),
        }
    }

    /// Handles a batch, and says how to settle each delivery. `None`: the process stops before it could be done.
    async fn handle(&self, batch: Vec<Delivery>, shutdown: &CancellationToken) -> Option<Vec<(Tag, Settle)>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let keys: Vec<_> = batch
            .iter()
            .map(|delivery| (delivery.envelope.id, delivery.replay_id))
            .collect();
        let mut seen = self.already(&keys, shutdown).await?;
        let mut fresh = Vec::with_capacity(batch.len());
        for delivery in batch {
            // A second delivery within the batch is dropped with the ones that were handled before.
            if seen.insert((delivery.envelope.id, delivery.replay_id)) {
                fresh.push(delivery);
            } else {
                self.count_repeated(&delivery);
                outcomes.push((delivery.tag, Settle::Ack));
            }
        }
        let mut jobs: Vec<_> = futures::stream::iter(fresh)
            .map(|delivery| self.prepare(delivery))
            .buffered(self.options.concurrency.max(1))
            .collect()
            .await;
        // Batches that touch the same subjects touch them in the same order: so they wait for each other, and not in a ring.
        jobs.sort_by_key(|job| job.envelope().subject);
        match self.commit(&jobs).await {
            Ok(()) => outcomes.extend(jobs.iter().map(|job| (job.tag, Settle::Ack))),
            Err(error) => {
                warn!(bus.consumer = self.name(), %error, events = jobs.len(), "A batch was not committed; one by one now");
                for job in jobs {
                    outcomes.push((job.tag, self.commit_alone(job, shutdown).await?));
                }
            }
        }
        Some(outcomes)
    }

    /// After a batch that failed: a fault of the database has passed by then, or stays with the event that causes it.
    async fn commit_alone(&self, job: Job<H::Acted>, shutdown: &CancellationToken) -> Option<Settle> {
        // It is not known whether a failed commit is on disk, and another worker may have been faster.
        if !self.already(&[job.key()], shutdown).await?.is_empty() {
            return Some(Settle::Ack);
        }
        let Err(error) = self.commit(&[job]).await else {
            return Some(Settle::Ack);
        };
        error!(bus.consumer = self.name(), %error, "An event cannot be committed; it comes again");
        self.pause(1, shutdown).await?;
        Some(Settle::Requeue) // counted by the bus, so it does not circle for ever
    }

    /// Which of these were handled for good. Asks until the database answers.
    async fn already(
        &self,
        keys: &[(EventId, ReplayId)],
        shutdown: &CancellationToken,
    ) -> Option<HashSet<(EventId, ReplayId)>> {
        let mut attempt = 0_u32;
        loop {
            match handled::already(self.store.read(), self.handler.consumer(), keys).await {
                Ok(known) => return Some(known.into_iter().filter(|key| keys.contains(key)).collect()),
                Err(error) => warn!(bus.consumer = self.name(), %error, "Waits for the database"),
            }
            attempt = attempt.saturating_add(1);
            self.pause(attempt, shutdown).await?;
        }
    }

    async fn pause(&self, attempt: u32, shutdown: &CancellationToken) -> Option<()> {
        let wait = INFRASTRUCTURE
            .next_delay(attempt, Jitter::random())
            .unwrap_or(INFRASTRUCTURE.max_interval);
        tokio::select! {
            () = shutdown.cancelled() => None,
            () = tokio::time::sleep(wait) => Some(()),
        }
    }

    async fn commit(&self, jobs: &[Job<H::Acted>]) -> Result<(), StoreError> {
        let concluded = batch::commit(&self.store, &self.handler, &self.options.policy, jobs).await?;
        for (job, conclusion) in jobs.iter().zip(&concluded) {
            job.measure(self.name(), conclusion, self.store.clock().now());
        }
        Ok(())
    }

    async fn prepare(&self, delivery: Delivery) -> Job<H::Acted> {
        Job::act(
            &self.handler,
            self.options.act_limit,
            delivery,
            self.store.clock().now(),
        )
        .await
    }

    fn count_repeated(&self, delivery: &Delivery) {
        let event_type = job::label(&delivery.envelope.event_type);
        metrics::counter!(names::EVENTS_HANDLED, "consumer" => self.name(), "type" => event_type, "outcome" => "repeated")
            .increment(1);
    }

    fn name(&self) -> &'static str {
        self.handler.consumer().name()
    }
}
