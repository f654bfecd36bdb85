//! What every process does beside its services: publish the outbox, bring due retries back, keep dead
//! letters, show gauges.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use crate::{DeadLetterDrain, Mode, OutboxRelay, Parts, RetryScheduler, gauges};

/// Relays of one process: while one waits for the broker, the other reads and forgets rows.
const RELAYS: usize = 2;

/// The loops that run beside the services. Dropped, they are aborted, which loses nothing.
#[derive(Debug)]
pub struct Background {
    loops: JoinSet<()>,
}

impl Background {
    /// Starts them; they end when [`Parts::shutdown`] is cancelled. One process has one `Background`.
    pub fn start(parts: &Arc<Parts>) -> Self {
        let mut loops = JoinSet::new();
        let (publisher, hold) = (parts.bus.publisher(), parts.settings.lease());
        // Embedded, events are in their queues as soon as they are committed.
        let relays = if parts.mode == Mode::Distributed {
            RELAYS
        } else {
            0
        };
        for _ in 0..relays {
            let bell = Arc::clone(&parts.outbox_bell);
            let publisher = Arc::clone(&publisher);
            let relay = OutboxRelay::new(parts.store.clone(), publisher, parts.worker_id, bell, hold);
            loops.spawn(relay.run(parts.shutdown.clone()));
        }
        let retries = RetryScheduler::new(parts.store.clone(), publisher, parts.worker_id, hold);
        loops.spawn(retries.run(parts.shutdown.clone()));
        loops.spawn(gauges::run(parts.store.clone(), parts.shutdown.clone()));
        if let Some(reader) = parts.bus.dead_letters() {
            loops.spawn(DeadLetterDrain::new(parts.store.clone(), reader).run(parts.shutdown.clone()));
        }
        Self { loops }
    }

    /// Waits until they have ended, at most `grace`.
    pub async fn stop(mut self, grace: Duration) {
        let ended = async { while self.loops.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!("The loops beside the services did not stop in time and are left behind");
        }
    }
}
