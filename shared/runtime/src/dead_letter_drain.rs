//! What the broker set aside becomes rows that people see beside all other dead letters.

use std::time::Duration;

use postroom_bus::{BrokerDeadLetter, DeadLetterReader};
use postroom_events::EventEnvelope;
use postroom_retry::{Jitter, policies::INFRASTRUCTURE};
use postroom_store::{
    Store, StoreError,
    dead_letters::{self, NewDeadLetter},
    handled,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Dead letters of one transaction.
const BATCH: usize = 50;

/// Who gave up what the broker set aside without saying for whom.
pub(crate) const UNKNOWN: &str = "unknown";

/// Moves the broker's dead letters into the database. Any number may run at once.
pub struct DeadLetterDrain {
    store: Store,
    reader: Box<dyn DeadLetterReader>,
}

impl std::fmt::Debug for DeadLetterDrain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeadLetterDrain")
    }
}

impl DeadLetterDrain {
    /// A drain of what `reader` reads.
    pub fn new(store: Store, reader: Box<dyn DeadLetterReader>) -> Self {
        Self { store, reader }
    }

    /// Runs until `shutdown` is cancelled. A dead letter leaves the broker only when its row is on disk.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let letters = tokio::select! {
                () = shutdown.cancelled() => return,
                letters = self.reader.next_batch(BATCH) => letters,
            };
            let mut attempt = 0_u32;
            while let Err(error) = keep(&self.store, &letters).await {
                warn!(%error, "Dead letters wait for the database");
                attempt = attempt.saturating_add(1);
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(delay(attempt)) => {}
                }
            }
            self.reader
                .forget(letters.iter().map(|letter| letter.tag).collect())
                .await;
        }
    }
}

async fn keep(store: &Store, letters: &[BrokerDeadLetter]) -> Result<(), StoreError> {
    let tx = store.begin("dead_letters.drain").await?;
    for letter in letters {
        let envelope = serde_json::from_slice::<EventEnvelope>(&letter.body).ok();
        if let (Some(consumer), Some(envelope)) = (letter.consumer, &envelope) {
            let key = [(envelope.id, letter.replay_id)];
            if handled::already(tx.db(), consumer, &key).await?.contains(&key[0]) {
                continue; // handled after all; only its settlement was lost each time
            }
        }
        let consumer = letter.consumer.map_or(UNKNOWN, |consumer| consumer.name());
        let event_id = envelope.as_ref().map(|envelope| envelope.id.to_string());
        error!(
            bus.consumer = consumer,
            event.id = event_id,
            reason = letter.reason,
            "The broker set an event aside"
        );
        let letter = NewDeadLetter {
            consumer: consumer.to_owned(),
            envelope,
            replay_id: letter.replay_id,
            body: letter.body.to_vec(),
            reason: letter.reason.clone(),
            attempts: i32::try_from(letter.attempt).unwrap_or(i32::MAX),
        };
        dead_letters::keep(&tx, letter).await?;
    }
    tx.commit().await
}

fn delay(attempt: u32) -> Duration {
    INFRASTRUCTURE
        .next_delay(attempt, Jitter::random())
        .unwrap_or(INFRASTRUCTURE.max_interval)
}
