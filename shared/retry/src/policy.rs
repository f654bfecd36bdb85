//! How long to wait after which attempt.
//!
//! The ladder of waits is climbed by the `backoff` crate. Its own randomness and its own clock are switched
//! off: the first would make a decision impossible to repeat, the second cannot be set by a test.

use std::time::Duration;

use backoff::SystemClock as UnusedClock;
use backoff::backoff::Backoff as _;
use backoff::exponential::{ExponentialBackoff, ExponentialBackoffBuilder};
use chrono::{DateTime, Utc};

use crate::clock::plus;

/// How often and how long one kind of work is tried again. All of them stand in [`crate::policies`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Short name for logs, metrics and documents.
    pub name: &'static str,
    /// The wait after the first failure.
    pub initial: Duration,
    /// Each wait is the one before times this; at least 1.
    pub multiplier: f64,
    /// No wait is longer, jitter aside.
    pub max_interval: Duration,
    /// How many attempts may be made, the first included; `None`: no limit.
    pub max_attempts: Option<u32>,
    /// No attempt is made later than this after the first one; `None`: no limit.
    pub give_up_after: Option<Duration>,
    /// A wait is spread by this share to either side: 0.2 makes 10 s into 8 to 12 s. Between 0 and 1.
    pub jitter: f64,
    /// A wait that the other side asks for (`Retry-After`) is obeyed up to this; nobody may park our work for
    /// a year.
    pub max_retry_after: Duration,
}

/// Where in the spread of a wait an attempt falls: at least 0 and less than 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

/// What is known about work that has just failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Attempts made so far, the failed one included: 1 after the first.
    pub attempts: u32,
    /// When the first attempt was made.
    pub first_at: DateTime<Utc>,
    /// How long the other side asked us to wait, if it did.
    pub retry_after: Option<Duration>,
}

impl Jitter {
    /// No spread: exactly the wait of the ladder.
    pub const NONE: Self = Self(0.5);

    /// A place by chance.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// The place that belongs to `seed` (an event's id, say): always the same one, evenly spread over seeds.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        // SplitMix64's finaliser; the upper 53 bits fill a double exactly.
        let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        Self((mixed >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// The part of `span` that lies before this place: at least nothing, less than all of it.
    #[must_use]
    pub fn part_of(self, span: Duration) -> Duration {
        span.mul_f64(self.0)
    }
}

impl RetryPolicy {
    /// How long to wait after attempt number `attempt` (1 is the first) has failed; `None` when it was the last.
    #[must_use]
    pub fn next_delay(&self, attempt: u32, jitter: Jitter) -> Option<Duration> {
        let spent = self.max_attempts.is_some_and(|max| attempt >= max);
        (!spent).then(|| self.spread(self.rung(attempt), jitter))
    }

    /// When to try again, or `None` to give up.
    ///
    /// A `Retry-After` is obeyed: never sooner, up to a tenth later, so that a thousand clients told the same
    /// do not return in the same second; and never for longer than [`RetryPolicy::max_retry_after`].
    #[must_use]
    pub fn next_at(&self, now: DateTime<Utc>, failure: &Failure, jitter: Jitter) -> Option<DateTime<Utc>> {
        let own = self.next_delay(failure.attempts, jitter)?;
        let asked = failure.retry_after.map_or(Duration::ZERO, |asked| {
            asked.min(self.max_retry_after).mul_f64(1.0 + jitter.0 / 10.0)
        });
        let at = plus(now, own.max(asked));
        let in_time = self
            .give_up_after
            .is_none_or(|limit| at <= plus(failure.first_at, limit));
        in_time.then_some(at)
    }

    /// The wait after attempt `attempt` before jitter.
    fn rung(&self, attempt: u32) -> Duration {
        let mut ladder: ExponentialBackoff<UnusedClock> = ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial.min(self.max_interval))
            .with_multiplier(self.multiplier.max(1.0))
            .with_max_interval(self.max_interval)
            .with_max_elapsed_time(None)
            .build();
        for _ in 1..attempt {
            let before = ladder.current_interval;
            let _ = ladder.next_backoff(); // its answer is random; the rung it now stands on is not
            if ladder.current_interval == before {
                break; // the top: a millionth attempt must not climb a million rungs
            }
        }
        ladder.current_interval
    }

    fn spread(&self, wait: Duration, jitter: Jitter) -> Duration {
        wait.mul_f64(1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * jitter.0 - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        name: "test",
        initial: Duration::from_secs(10),
        multiplier: 3.0,
        max_interval: Duration::from_secs(200),
        max_attempts: Some(6),
        give_up_after: Some(Duration::from_secs(1_000)),
        jitter: 0.2,
        max_retry_after: Duration::from_secs(600),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn failure(attempts: u32, retry_after: Option<u64>) -> Failure {
        Failure {
            attempts,
            first_at: at(0),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn the_ladder_grows_to_its_top_and_ends() {
        let waits: Vec<_> = (1..=6).map(|n| POLICY.next_delay(n, Jitter::NONE)).collect();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(
            waits,
            [
                seconds(10),
                seconds(30),
                seconds(90),
                seconds(200),
                seconds(200),
                None
            ]
        );
    }

    #[test]
    fn a_policy_without_limit_never_ends() {
        let endless = RetryPolicy {
            max_attempts: None,
            ..POLICY
        };
        assert_eq!(
            endless.next_delay(u32::MAX, Jitter::NONE),
            Some(Duration::from_secs(200))
        );
    }

    #[test]
    fn jitter_stays_within_its_share_and_can_be_repeated() {
        let waits: Vec<_> = (0..1_000)
            .map(|n| POLICY.next_delay(1, Jitter::of(n)).unwrap())
            .collect();
        assert!(waits.iter().all(|w| (8.0..12.0).contains(&w.as_secs_f64())));
        let mean = waits.iter().map(Duration::as_secs_f64).sum::<f64>() / 1_000.0;
        assert!(
            (9.8..10.2).contains(&mean),
            "evenly spread, but the mean is {mean}"
        );
        assert_eq!(Jitter::of(42), Jitter::of(42));
    }

    #[test]
    fn retry_after_is_obeyed_but_not_for_ever() {
        let wait = |asked| {
            let at_once = POLICY.next_at(at(0), &failure(1, asked), Jitter(0.0)).unwrap();
            (at_once - at(0)).num_seconds()
        };
        assert_eq!(wait(None), 8);
        assert_eq!(wait(Some(5)), 8, "our own wait is longer");
        assert_eq!(wait(Some(120)), 120);
        assert_eq!(wait(Some(86_400 * 365)), 600, "capped");
        let late = POLICY
            .next_at(at(0), &failure(1, Some(120)), Jitter(0.999))
            .unwrap();
        assert!(late > at(120) && late <= at(132));
    }

    #[test]
    fn it_gives_up_when_the_next_attempt_would_be_too_late() {
        assert_eq!(
            POLICY.next_at(at(990), &failure(1, None), Jitter::NONE),
            Some(at(1_000))
        );
        assert_eq!(POLICY.next_at(at(991), &failure(1, None), Jitter::NONE), None);
        assert_eq!(POLICY.next_at(at(0), &failure(6, None), Jitter::NONE), None);
    }
}
