//! The embedded bus's queues are tables of the store: here the two meet.

use async_trait::async_trait;
use postroom_bus::embedded::{NewQueueEntry, QueueEntry, QueueError, QueueStore, Settlement};
use postroom_events::{Consumer, WorkerId};
use postroom_store::{Store, StoreError, queue};
use uuid::Uuid;

/// The queues of the embedded bus, as rows of the store.
#[derive(Debug)]
pub struct QueueRows {
    store: Store,
}

impl QueueRows {
    /// The queues of `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

fn fault(error: StoreError) -> QueueError {
    QueueError(Box::new(error))
}

/// Counts of attempts and deliveries are small and never negative; a damaged row counts as worn out.
fn count(stored: i32) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}

#[async_trait]
impl QueueStore for QueueRows {
    async fn enqueue(&self, entries: Vec<NewQueueEntry>) -> Result<(), QueueError> {
        let tx = self.store.begin("queue.enqueue").await.map_err(fault)?;
        let deliveries: Vec<_> = entries
            .iter()
            .map(|entry| queue::NewDelivery {
                consumer: entry.consumer,
                envelope: &entry.envelope,
                attempt: i32::try_from(entry.attempt).unwrap_or(i32::MAX),
                replay_id: entry.replay_id,
            })
            .collect();
        queue::enqueue(&tx, &deliveries).await.map_err(fault)?;
        tx.commit().await.map_err(fault)
    }

    async fn claim(&self, consumer: Consumer, boot: Uuid, max: usize) -> Result<Vec<QueueEntry>, QueueError> {
        if !queue::has_waiting(self.store.read(), consumer)
            .await
            .map_err(fault)?
        {
            return Ok(Vec::new());
        }
        let claimed = queue::claim(&self.store, consumer, WorkerId(boot), max as u64)
            .await
            .map_err(fault)?;
        Ok(claimed
            .into_iter()
            .map(|delivery| QueueEntry {
                position: delivery.position,
                envelope: delivery.envelope,
                attempt: count(delivery.attempt),
                replay_id: delivery.replay_id,
                delivery_count: count(delivery.delivery_count),
            })
            .collect())
    }

    async fn settle(&self, consumer: Consumer, settlement: &Settlement) -> Result<(), QueueError> {
        queue::settle(
            &self.store,
            consumer,
            &settlement.acked,
            &settlement.requeued,
            &settlement.dead,
        )
        .await
        .map_err(fault)
    }

    async fn recover(&self, boot: Uuid) -> Result<u64, QueueError> {
        queue::recover(&self.store, WorkerId(boot)).await.map_err(fault)
    }
}
