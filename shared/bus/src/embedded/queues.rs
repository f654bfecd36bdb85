//! The queues of the process, shared by its publishers and subscriptions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use postroom_events::Consumer;
use tokio::sync::{Notify, futures::Notified};
use uuid::Uuid;

use super::{EmbeddedConfig, queue_store::QueueStore};

#[derive(Debug)]
pub(crate) struct Queues {
    pub(crate) store: Arc<dyn QueueStore>,
    /// Names this run of the process.
    pub(crate) boot: Uuid,
    pub(crate) config: EmbeddedConfig,
    by_consumer: HashMap<Consumer, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    grown: Notify,
    /// Claimed by subscriptions that were dropped; the next subscription to look gives them back.
    abandoned: Mutex<Vec<i64>>,
}

impl Queues {
    pub(crate) fn new(store: Arc<dyn QueueStore>, boot: Uuid, config: EmbeddedConfig) -> Self {
        let by_consumer = Consumer::ALL
            .iter()
            .map(|consumer| (*consumer, Queue::default()))
            .collect();
        Self {
            store,
            boot,
            config,
            by_consumer,
        }
    }

    /// Wakes everyone who waits for deliveries to `consumer`.
    pub(crate) fn wake(&self, consumer: Consumer) {
        if let Some(queue) = self.by_consumer.get(&consumer) {
            queue.grown.notify_waiters();
        }
    }

    /// Completes when the queue grows after this call. `None` never happens: every consumer has a queue.
    pub(crate) fn grown(&self, consumer: Consumer) -> Option<Notified<'_>> {
        self.by_consumer
            .get(&consumer)
            .map(|queue| queue.grown.notified())
    }

    /// Leaves claimed deliveries to whoever looks next.
    pub(crate) fn abandon(&self, consumer: Consumer, positions: impl IntoIterator<Item = i64>) {
        if let Some(queue) = self.by_consumer.get(&consumer) {
            queue
                .abandoned
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(positions);
            queue.grown.notify_waiters();
        }
    }

    /// Takes over what was abandoned.
    pub(crate) fn take_abandoned(&self, consumer: Consumer) -> Vec<i64> {
        self.by_consumer.get(&consumer).map_or_else(Vec::new, |queue| {
            std::mem::take(&mut *queue.abandoned.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}
