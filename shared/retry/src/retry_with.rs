//! A loop for work that is retried inside one process: a reconnect, a start-up check.
//!
//! Work that must survive the process is a row with `next_attempt_at` instead, by [`RetryPolicy::next_at`].

use std::time::Duration;

use crate::clock::Clock;
use crate::policy::{Failure, Jitter, RetryPolicy};

/// Why one attempt failed, and whether another may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault<E> {
    /// It may pass by itself.
    Transient {
        /// What happened.
        error: E,
        /// How long the other side asked us to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// Trying again changes nothing.
    Permanent(E),
}

impl<E> From<E> for Fault<E> {
    /// An error is taken as transient unless the operation says otherwise.
    fn from(error: E) -> Self {
        Self::Transient {
            error,
            retry_after: None,
        }
    }
}

/// Runs `operation` until it succeeds, fails for good, or `policy` gives up; then the last error is returned.
///
/// `operation` gets the number of the attempt, 1 first. To stop early, drop the future (`tokio::select!` with
/// the shutdown signal): it holds nothing across the wait.
pub async fn retry_with<T, E, F>(
    policy: &RetryPolicy,
    clock: &dyn Clock,
    mut operation: impl FnMut(u32) -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, Fault<E>>>,
{
    let mut failure = Failure {
        attempts: 0,
        first_at: clock.now(),
        retry_after: None,
    };
    loop {
        failure.attempts = failure.attempts.saturating_add(1);
        let error = match operation(failure.attempts).await {
            Ok(value) => return Ok(value),
            Err(Fault::Permanent(error)) => return Err(error),
            Err(Fault::Transient { error, retry_after }) => {
                failure.retry_after = retry_after;
                error
            }
        };
        let now = clock.now();
        let Some(at) = policy.next_at(now, &failure, Jitter::random()) else {
            return Err(error);
        };
        tokio::time::sleep((at - now).to_std().unwrap_or_default()).await;
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{ManualClock, SystemClock, policies};

    #[tokio::test(start_paused = true)]
    async fn it_tries_until_it_succeeds() {
        let tried = retry_with(&policies::INFRASTRUCTURE, &SystemClock, |attempt| async move {
            if attempt < 4 {
                Err(Fault::from("closed"))
            } else {
                Ok(attempt)
            }
        });
        assert_eq!(tried.await, Ok(4));
    }

    #[tokio::test]
    async fn a_permanent_fault_ends_it_at_once() {
        let tried: Result<(), _> =
            retry_with(&policies::INFRASTRUCTURE, &SystemClock, |attempt| async move {
                Err(Fault::Permanent(attempt))
            })
            .await;
        assert_eq!(tried, Err(1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_as_long_as_it_was_asked_to_and_gives_up_in_time() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        let policy = RetryPolicy {
            give_up_after: Some(Duration::from_secs(60)),
            ..policies::REFRESH_TOKEN
        };
        let before = tokio::time::Instant::now();
        let tried: Result<(), u32> = retry_with(&policy, &clock, |attempt| {
            clock.advance(Duration::from_secs(25));
            async move {
                Err(Fault::Transient {
                    error: attempt,
                    retry_after: Some(Duration::from_secs(30)),
                })
            }
        })
        .await;
        assert_eq!(
            tried,
            Err(2),
            "the second try ends at 50 s, a third could not start before 80 s"
        );
        assert!(before.elapsed() >= Duration::from_secs(30));
    }
}
