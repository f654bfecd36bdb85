//! What becomes of an event after its handler has spoken.

use chrono::{DateTime, Utc};
use postroom_events::Consumer;
use postroom_retry::{Failure, Jitter, RetryPolicy};
use postroom_store::{StoreError, Tx, handled};

use super::{HandlerError, Verdict, job::Job};

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conclusion {
    /// It was handled for good.
    Done,
    /// It comes again.
    Retry { at: DateTime<Utc>, reason: String },
    /// It was given up.
    DeadLetter { reason: String },
}

impl Conclusion {
    /// As in metrics and `handling_outcomes`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry { .. } => "retry",
            Self::DeadLetter { .. } => "dead_letter",
        }
    }

    /// Whether a second delivery of the same run may be dropped.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::Retry { .. })
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Retry { reason, .. } | Self::DeadLetter { reason } => Some(reason),
        }
    }

    pub(super) fn log(&self, attempt: u32) {
        match self {
            Self::Done => tracing::debug!(attempt, "Handled an event"),
            Self::Retry { at, reason } => {
                tracing::info!(attempt, %at, reason, "An event will be tried again")
            }
            Self::DeadLetter { reason } => {
                tracing::warn!(attempt, reason, "Gave an event up; it is a dead letter")
            }
        }
    }
}

impl From<Verdict> for Conclusion {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Done => Self::Done,
            Verdict::RetryAt(at, reason) => Self::Retry { at, reason },
            Verdict::DeadLetter(reason) => Self::DeadLetter { reason },
        }
    }
}

/// Decides about an event that could not be handled.
pub(super) async fn of_error<A>(
    tx: &Tx,
    consumer: Consumer,
    policy: &RetryPolicy,
    job: &Job<A>,
    error: &HandlerError,
) -> Result<Conclusion, StoreError> {
    if !error.may_pass {
        return Ok(Conclusion::DeadLetter {
            reason: error.to_string(),
        });
    }
    let failure = Failure {
        attempts: job.attempt(),
        first_at: first_attempt_at(tx, consumer, job).await?,
        retry_after: error.retry_after,
    };
    // The spread belongs to the event: repeating the transaction comes to the same time.
    let jitter = Jitter::of(job.envelope().id.0.as_u64_pair().1 ^ u64::from(job.attempt()));
    let reason = error.to_string();
    Ok(match policy.next_at(job.started_at, &failure, jitter) {
        Some(at) => Conclusion::Retry { at, reason },
        None => Conclusion::DeadLetter {
            reason: format!("Given up after {} attempts: {reason}", failure.attempts),
        },
    })
}

/// An event may have waited for days before anybody tried it, so the time of the event says nothing.
async fn first_attempt_at<A>(tx: &Tx, consumer: Consumer, job: &Job<A>) -> Result<DateTime<Utc>, StoreError> {
    if job.attempt() <= 1 {
        return Ok(job.started_at);
    }
    let outcomes = handled::outcomes(tx.db(), job.envelope().id).await?;
    let of_this_run = outcomes
        .iter()
        .filter(|outcome| outcome.consumer == consumer.name() && outcome.replay_id == job.replay_id());
    Ok(of_this_run
        .map(|outcome| outcome.started_at)
        .min()
        .unwrap_or(job.started_at))
}
