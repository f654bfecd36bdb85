//! Gauges over the database: what waits, what was given up, how accounts fare. Every process shows the same figures;
//! take the largest, not the sum.

use std::time::Duration;

use postroom_events::{AccountState, Consumer};
use postroom_store::{Store, StoreError, figures, outbox};
use postroom_telemetry::names;
use tokio_util::sync::CancellationToken;

use crate::dead_letter_drain;

/// How old a figure may be.
const EVERY: Duration = Duration::from_secs(15);

/// Sets the gauges now and then, until the process is to stop.
pub(crate) async fn run(store: Store, shutdown: CancellationToken) {
    loop {
        if let Err(error) = set(&store).await {
            tracing::debug!(%error, "The gauges keep their last figures");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn set(store: &Store) -> Result<(), StoreError> {
    let db = store.read();
    metrics::gauge!(names::OUTBOX_WAITING).set(outbox::waiting(db).await? as f64);
    let accounts = figures::accounts_by_state(db).await?;
    for state in AccountState::ALL {
        metrics::gauge!(names::ACCOUNTS, "state" => state.as_str()).set(of(&accounts, state.as_str()));
    }
    let (retries, letters) = (
        figures::retries_by_consumer(db).await?,
        figures::dead_letters_by_consumer(db).await?,
    );
    for consumer in Consumer::ALL {
        let name = consumer.name();
        metrics::gauge!(names::RETRIES_WAITING, "consumer" => name).set(of(&retries, name));
    }
    let consumers = Consumer::ALL.iter().map(|consumer| consumer.name());
    for name in consumers.chain([outbox::NAME, dead_letter_drain::UNKNOWN]) {
        metrics::gauge!(names::DEAD_LETTERS, "consumer" => name).set(of(&letters, name));
    }
    Ok(())
}

/// The figure of that name; what is not counted is not there.
fn of(counts: &[(String, i64)], name: &str) -> f64 {
    counts
        .iter()
        .find(|(counted, _)| counted == name)
        .map_or(0.0, |(_, count)| *count as f64)
}
