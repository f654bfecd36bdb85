//! The claims of this process: renewed together, and each counted on the monotonic clock from before its renewal was sent,
//! so that a worker always believes in less than the row says.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use postroom_events::{SubmissionId, WorkerId};
use postroom_retry::Clock;
use postroom_store::{
    Store,
    submissions::{self, Attempt},
};
use tokio_util::sync::CancellationToken;

use crate::SenderSettings;

/// What is claimed at the moment.
#[derive(Debug)]
pub(crate) struct Claims {
    clock: Arc<dyn Clock>,
    settings: SenderSettings,
    /// When each ends.
    held: Mutex<HashMap<Attempt, Instant>>,
}

/// One claim, renewed until it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    attempt: Attempt,
}

impl Claims {
    pub(crate) fn new(clock: Arc<dyn Clock>, settings: SenderSettings) -> Self {
        Self {
            clock,
            settings,
            held: Mutex::default(),
        }
    }

    /// Looks after a claim that was asked for at `since`.
    pub(crate) fn hold(self: &Arc<Self>, attempt: Attempt, since: Instant) -> Claim {
        self.with_held(|held| held.insert(attempt, since + self.settings.claim));
        Claim {
            claims: Arc::clone(self),
            attempt,
        }
    }

    /// Whether an attempt on this submission is under way in this process, whatever its row says by now: a database that was
    /// away for longer than a claim is no reason to take over from oneself.
    pub(crate) fn are_held_for(&self, id: SubmissionId) -> bool {
        self.with_held(|held| held.keys().any(|attempt| attempt.submission_id == id))
    }

    /// Renews what is claimed, again and again, until `done` is cancelled.
    pub(crate) async fn keep(&self, store: &Store, worker: WorkerId, done: CancellationToken) {
        loop {
            tokio::select! {
                () = done.cancelled() => return,
                () = tokio::time::sleep(self.settings.renew_every()) => {}
            }
            if self.with_held(|held| held.is_empty()) {
                continue;
            }
            let since = self.clock.monotonic();
            match submissions::renew_claims(store, worker, self.settings.claim).await {
                Ok(renewed) => self.with_held(|held| {
                    for attempt in renewed {
                        held.entry(attempt)
                            .and_modify(|until| *until = since + self.settings.claim);
                    }
                }),
                Err(error) => tracing::warn!(%error, "Claims could not be renewed; trying again"),
            }
        }
    }

    fn with_held<R>(&self, act: impl FnOnce(&mut HashMap<Attempt, Instant>) -> R) -> R {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Claim {
    /// Whether enough of it is left for the final dot to leave.
    pub(crate) fn is_good(&self) -> bool {
        let needed = self.claims.clock.monotonic() + self.claims.settings.claim_margin();
        self.claims
            .with_held(|held| held.get(&self.attempt).is_some_and(|until| *until > needed))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.with_held(|held| held.remove(&self.attempt));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postroom_retry::{ManualClock, SystemClock};

    use super::*;

    #[test]
    fn a_claim_counts_from_before_it_was_asked_for_and_ends_before_its_time() {
        let clock = ManualClock::new(SystemClock.now());
        let settings = SenderSettings::default();
        let claims = Arc::new(Claims::new(Arc::new(clock.clone()), settings));
        let attempt = Attempt {
            submission_id: SubmissionId::generate(),
            number: 1,
            holder: WorkerId::generate(),
        };
        let since = clock.monotonic();
        clock.advance(Duration::from_secs(5));
        let claim = claims.hold(attempt, since);
        assert!(claim.is_good() && claims.are_held_for(attempt.submission_id));
        clock.advance(Duration::from_secs(23));
        assert!(!claim.is_good(), "2 of 30 seconds are left, and 3 are needed");
        drop(claim);
        assert!(!claims.are_held_for(attempt.submission_id));
    }
}
