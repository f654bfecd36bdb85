//! The bus of one process: durable queues in its own database, wake-ups in memory.
//!
//! There is no outbox on this side: the transaction that writes an event also writes its queue rows, and whoever
//! committed calls [`Bus::deliveries_committed`]. Polling only finds what such a call missed.

mod publisher;
mod queue_store;
mod queues;
mod subscription;
mod wake;

use std::{sync::Arc, time::Duration};

use postroom_events::{Consumer, WorkerId};
use uuid::Uuid;

pub use self::queue_store::{NewQueueEntry, QueueEntry, QueueError, QueueStore, Settlement};
use self::{
    publisher::EmbeddedPublisher,
    queues::Queues,
    subscription::EmbeddedSubscription,
    wake::{EmbeddedWakeListener, EmbeddedWakeSender, Workers},
};
use crate::{
    Bus, BusError, DeadLetterReader, Publisher, Subscription, SubscriptionOptions, WakeListener, WakeSender,
};

/// What may be set about the embedded bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// How often a delivery may be handed out and not settled before it becomes a dead letter.
    pub delivery_limit: u32,
    /// How often queues are looked at although nobody said that they have grown.
    pub poll_interval: Duration,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            delivery_limit: 20,
            poll_interval: Duration::from_secs(2),
        }
    }
}

/// The bus of one process.
#[derive(Debug)]
pub struct EmbeddedBus {
    queues: Arc<Queues>,
    workers: Arc<Workers>,
}

impl EmbeddedBus {
    /// Opens the queues; what an earlier process had taken and not settled is handed out again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(store: Arc<dyn QueueStore>, config: EmbeddedConfig) -> Result<Self, BusError> {
        let boot = Uuid::now_v7(); // one process owns the database: every other claim is a dead process's
        let released = store.recover(boot).await?;
        if released > 0 {
            tracing::info!(released, "Deliveries of an earlier run are handed out again");
        }
        Ok(Self {
            queues: Arc::new(Queues::new(store, boot, config)),
            workers: Arc::default(),
        })
    }
}

impl Bus for EmbeddedBus {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(EmbeddedPublisher::new(Arc::clone(&self.queues)))
    }

    fn subscribe(&self, consumer: Consumer, options: SubscriptionOptions) -> Box<dyn Subscription> {
        Box::new(EmbeddedSubscription::new(
            Arc::clone(&self.queues),
            consumer,
            options.prefetch,
        ))
    }

    fn dead_letters(&self) -> Option<Box<dyn DeadLetterReader>> {
        None
    }

    fn wake_sender(&self) -> Arc<dyn WakeSender> {
        Arc::new(EmbeddedWakeSender::new(Arc::clone(&self.workers)))
    }

    fn wake_listener(&self, worker: WorkerId) -> Box<dyn WakeListener> {
        Box::new(EmbeddedWakeListener::new(Arc::clone(&self.workers), worker))
    }

    fn deliveries_committed(&self, consumers: &[Consumer]) {
        for consumer in consumers {
            self.queues.wake(*consumer);
        }
    }

    fn is_up(&self) -> bool {
        true // as up as the database, which has a probe of its own
    }
}
