//! When a grant is refreshed: pure decisions.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_retry::{Jitter, clock::plus};

/// However short-lived its tokens are said to be, a grant is not refreshed more often.
const SHORTEST: Duration = Duration::from_secs(5);
/// However long-lived they are said to be: a refresh token dies of disuse after months.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long after it was given a token is replaced: between three quarters and nine tenths of its lifetime. What is left
/// is time to try again, and the spread keeps apart what was connected in the same hour.
pub(crate) fn refresh_after(lifetime: Duration, jitter: Jitter) -> Duration {
    let earliest = lifetime.mul_f64(0.75);
    let latest = lifetime.mul_f64(0.9);
    (earliest + jitter.part_of(latest - earliest)).clamp(SHORTEST, LONGEST)
}

/// When a token that is in use is replaced at the latest.
pub(crate) fn latest_refresh(
    now: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    jitter: Jitter,
) -> DateTime<Utc> {
    let left = expires_at.and_then(|end| (end - now).to_std().ok());
    left.map_or(now, |left| plus(now, refresh_after(left, jitter)))
}

/// Whether a due grant is refreshed although no account in use needs it.
pub(crate) fn unused_is_due(now: DateTime<Utc>, refreshed_at: DateTime<Utc>, every: Duration) -> bool {
    plus(refreshed_at, every) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn a_token_is_replaced_with_time_to_spare_and_never_in_a_crowd() {
        let after: Vec<_> = (0..1000).map(|n| refresh_after(HOUR, Jitter::of(n))).collect();
        assert!(after.iter().all(|after| (2700..3240).contains(&after.as_secs())));
        let in_one_minute = after.iter().filter(|after| after.as_secs() / 60 == 50).count();
        assert!(in_one_minute < 200, "spread over nine minutes: {in_one_minute}");
    }

    #[test]
    fn what_a_provider_says_leads_to_no_storm_and_no_oblivion() {
        assert_eq!(refresh_after(Duration::ZERO, Jitter::NONE), SHORTEST);
        assert_eq!(
            refresh_after(Duration::from_secs(u64::MAX / 4), Jitter::NONE),
            LONGEST
        );
    }

    #[test]
    fn a_token_in_use_is_replaced_before_its_end_or_at_once() {
        let latest = |end| latest_refresh(at(0), end, Jitter::NONE);
        assert!(latest(Some(at(3600))) < at(3600 * 9 / 10));
        assert_eq!(latest(Some(at(-1))), at(0));
        assert_eq!(latest(None), at(0));
    }

    #[test]
    fn an_unused_grant_is_refreshed_now_and_then() {
        let due = |hours: i64| unused_is_due(at(0), at(-3600 * hours), HOUR * 24);
        assert!(!due(23) && due(24));
    }
}
