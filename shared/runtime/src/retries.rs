//! The retry scheduler: what is due goes back to its consumer's queue.

use std::{sync::Arc, time::Duration};

use postroom_bus::{Outgoing, Publisher};
use postroom_events::WorkerId;
use postroom_store::{
    Store, StoreError,
    retries::{self, Retry},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Retries of one claim.
const BATCH: u64 = 200;
/// How often the rows are looked at: the precision of a retry that another process planned.
const POLL: Duration = Duration::from_secs(1);

/// Publishes due retries. Any number may run at once.
pub struct RetryScheduler {
    store: Store,
    publisher: Arc<dyn Publisher>,
    worker: WorkerId,
    hold: Duration,
}

impl std::fmt::Debug for RetryScheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetryScheduler")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

impl RetryScheduler {
    /// A scheduler for worker `worker`. Other schedulers leave what it has claimed alone for `hold`.
    pub fn new(store: Store, publisher: Arc<dyn Publisher>, worker: WorkerId, hold: Duration) -> Self {
        Self {
            store,
            publisher,
            worker,
            hold,
        }
    }

    /// Runs until `shutdown` is cancelled.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let wait = match self.publish_due().await {
                Ok(published) if published == BATCH as usize => continue,
                Ok(_) => self.until_next().await,
                Err(error) => {
                    warn!(%error, "Due retries cannot be read; trying again");
                    POLL
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Until the next retry is due, but no longer than to the next look.
    async fn until_next(&self) -> Duration {
        let Ok(Some(due)) = retries::next_due(self.store.read()).await else {
            return POLL;
        };
        let wait = (due - self.store.clock().now()).to_std().unwrap_or_default();
        // A due retry that is left was claimed by somebody else or refused by the bus: no hurry.
        if wait.is_zero() { POLL } else { wait.min(POLL) }
    }

    async fn publish_due(&self) -> Result<usize, StoreError> {
        // Asked first, because a claim writes, and mostly nothing is due.
        match retries::next_due(self.store.read()).await? {
            Some(due) if due <= self.store.clock().now() => {}
            _ => return Ok(0),
        }
        let due = retries::claim_due(&self.store, self.worker, BATCH, self.hold).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let events: Vec<_> = due.iter().map(outgoing).collect();
        let outcomes = self.publisher.publish(&events).await;
        let claimed = due.len();
        let mut handed_over = Vec::with_capacity(claimed);
        for (retry, outcome) in due.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => handed_over.push(retry),
                Err(error) => warn!(event.id = %retry.envelope.id, %error, "A due retry waits for the bus"),
            }
        }
        let tx = self.store.begin("retries.handed_over").await?;
        retries::handed_over(&tx, &handed_over).await?;
        tx.commit().await?;
        Ok(handed_over.len())
    }
}

/// To the one consumer that asked for it, with the original event.
fn outgoing(retry: &Retry) -> Outgoing {
    let attempt = u32::try_from(retry.attempt).unwrap_or(1);
    Outgoing::to_consumer(retry.envelope.clone(), retry.consumer, attempt, retry.replay_id)
}
