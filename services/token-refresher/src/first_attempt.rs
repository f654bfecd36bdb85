//! When an event was first tried: from then on it is counted how long trying goes on.

use chrono::{DateTime, Utc};
use postroom_events::Consumer;
use postroom_retry::Jitter;
use postroom_runtime::HandledEvent;
use postroom_store::{StoreError, Tx, handled};

/// The time of the first attempt; `now` if this is it. An event may have waited for days before anybody tried it, so the
/// time of the event says nothing.
pub(crate) async fn first_attempt_at(
    tx: &Tx,
    delivery: &HandledEvent,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, StoreError> {
    if delivery.attempt <= 1 {
        return Ok(now);
    }
    let outcomes = handled::outcomes(tx.db(), delivery.envelope.id).await?;
    let of_this_run = outcomes.iter().filter(|outcome| {
        outcome.consumer == Consumer::TokenRefresher.name() && outcome.replay_id == delivery.replay_id
    });
    Ok(of_this_run.map(|outcome| outcome.started_at).min().unwrap_or(now))
}

/// The spread that belongs to an event and a number of tries: repeating the transaction comes to the same time.
pub(crate) fn jitter(delivery: &HandledEvent, tries: u32) -> Jitter {
    Jitter::of(delivery.envelope.id.0.as_u64_pair().1 ^ u64::from(tries))
}
