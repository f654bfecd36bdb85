//! The outbox relay: publishes what is committed, and forgets what the broker has confirmed.

use std::{sync::Arc, time::Duration};

use postroom_bus::{Outgoing, PublishError, Publisher};
use postroom_events::WorkerId;
use postroom_retry::{Jitter, policies::INFRASTRUCTURE};
use postroom_store::{Store, StoreError, outbox};
use postroom_telemetry::names;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Rows of one claim, and so of one confirm window.
const BATCH: u64 = 1_000;
/// How often the outbox is looked at although nobody rang: only a relay that died leaves rows that nobody announces.
const POLL: Duration = Duration::from_secs(2);

/// Publishes the rows of the outbox. Any number may run at once.
pub struct OutboxRelay {
    store: Store,
    publisher: Arc<dyn Publisher>,
    worker: WorkerId,
    bell: Arc<Notify>,
    hold: Duration,
}

impl std::fmt::Debug for OutboxRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxRelay")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

impl OutboxRelay {
    /// A relay for worker `worker`; whoever commits rows into the outbox rings `bell`.
    ///
    /// Other relays leave what it has claimed alone for `hold`: so long do events wait when it dies. If publishing takes
    /// longer, they are published twice, which is allowed.
    pub fn new(
        store: Store,
        publisher: Arc<dyn Publisher>,
        worker: WorkerId,
        bell: Arc<Notify>,
        hold: Duration,
    ) -> Self {
        Self {
            store,
            publisher,
            worker,
            bell,
            hold,
        }
    }

    /// Runs until `shutdown` is cancelled, and finishes the batch in hand before it ends.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0_u32;
        while !shutdown.is_cancelled() {
            let wait = match self.publish_batch().await {
                Ok(Progress::All(claimed)) => {
                    failures = 0;
                    if claimed == BATCH as usize {
                        self.bell.notify_one(); // there is more; another relay of this process may help
                    }
                    if claimed > 0 {
                        continue;
                    }
                    self.rung_or(POLL, &shutdown).await;
                    continue;
                }
                Ok(Progress::Refused(error)) => {
                    warn!(%error, "The broker does not take events; they wait in the outbox");
                    failures = failures.saturating_add(1);
                    INFRASTRUCTURE.next_delay(failures, Jitter::random())
                }
                Err(error) => {
                    warn!(%error, "The outbox cannot be read; trying again");
                    failures = failures.saturating_add(1);
                    INFRASTRUCTURE.next_delay(failures, Jitter::random())
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait.unwrap_or(INFRASTRUCTURE.max_interval)) => {}
            }
        }
    }

    async fn rung_or(&self, poll: Duration, shutdown: &CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.bell.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }

    /// Publishes one batch. A crash anywhere in it means that events are published again, never that one is lost.
    async fn publish_batch(&self) -> Result<Progress, StoreError> {
        let claimed = outbox::claim(&self.store, self.worker, BATCH, self.hold).await?;
        if claimed.is_empty() {
            return Ok(Progress::All(0));
        }
        let count = claimed.len();
        let (positions, events): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .map(|row| (row.position, Outgoing::first(row.envelope)))
            .unzip();
        let outcomes = self.publisher.publish(&events).await;
        let mut confirmed = Vec::with_capacity(count);
        let mut left = Vec::new();
        let mut refusal = None;
        for (position, outcome) in positions.into_iter().zip(outcomes) {
            metrics::counter!(names::EVENTS_PUBLISHED, "outcome" => outcome_label(&outcome)).increment(1);
            match outcome {
                Ok(()) => confirmed.push(position),
                Err(error) => {
                    left.push(position);
                    refusal.get_or_insert(error);
                }
            }
        }
        outbox::published(&self.store, confirmed).await?;
        outbox::release(&self.store, left).await?;
        Ok(refusal.map_or(Progress::All(count), Progress::Refused))
    }
}

enum Progress {
    /// So many were published; 0: the outbox was empty.
    All(usize),
    /// Some are left, for this reason.
    Refused(PublishError),
}

fn outcome_label(outcome: &Result<(), PublishError>) -> &'static str {
    match outcome {
        Ok(()) => "confirmed",
        Err(PublishError::Unroutable { .. }) => "returned",
        Err(_) => "refused",
    }
}
