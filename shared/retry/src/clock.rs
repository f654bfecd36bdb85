//! Time as a parameter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// What time it is, twice: on the wall, and on a clock that never goes back.
///
/// Wall time is what is stored and shown. Intervals inside one process (how much of a lease is left, how long
/// a step took) are measured on the monotonic clock, because wall time can be set back by an hour.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Wall time in UTC, cut to microseconds: what PostgreSQL stores, so that a time read back is equal to the
    /// time that was written.
    fn now(&self) -> DateTime<Utc>;

    /// The monotonic clock of this process.
    fn monotonic(&self) -> Instant;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> DateTime<Utc> {
        (**self).now()
    }

    fn monotonic(&self) -> Instant {
        (**self).monotonic()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that may ask the machine
    fn now(&self) -> DateTime<Utc> {
        to_microseconds(Utc::now())
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that stands still until a test moves it. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    base: Instant,
    time: Arc<Mutex<ManualTime>>,
}

#[derive(Debug)]
struct ManualTime {
    wall: DateTime<Utc>,
    elapsed: Duration,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: DateTime<Utc>) -> Self {
        let time = ManualTime {
            wall: to_microseconds(start),
            elapsed: Duration::ZERO,
        };
        Self {
            base: Instant::now(),
            time: Arc::new(Mutex::new(time)),
        }
    }

    /// Lets `by` pass, on the wall and on the monotonic clock.
    pub fn advance(&self, by: Duration) {
        self.change(|time| {
            time.elapsed += by;
            time.wall = plus(time.wall, by);
        });
    }

    /// Sets the wall clock, forward or back, as an operator or NTP does; the monotonic clock does not notice.
    pub fn set_wall(&self, to: DateTime<Utc>) {
        self.change(|time| time.wall = to_microseconds(to));
    }

    fn change<R>(&self, change: impl FnOnce(&mut ManualTime) -> R) -> R {
        change(&mut self.time.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.change(|time| time.wall)
    }

    fn monotonic(&self) -> Instant {
        self.base + self.change(|time| time.elapsed)
    }
}

/// `at` plus `by`, cut to microseconds; the largest time there is instead of an overflow.
#[must_use]
pub fn plus(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| at.checked_add_signed(by))
        .map_or(DateTime::<Utc>::MAX_UTC, to_microseconds)
}

/// `at` cut to microseconds, the precision in which times are stored.
#[must_use]
pub fn to_microseconds(at: DateTime<Utc>) -> DateTime<Utc> {
    // Fails only for years beyond 2262, which chrono cannot count in nanoseconds.
    at.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 123_456_789).unwrap()
    }

    #[test]
    fn times_are_cut_to_microseconds() {
        assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
        assert_eq!(
            ManualClock::new(start()).now().timestamp_subsec_nanos(),
            123_456_000
        );
    }

    #[test]
    fn a_manual_clock_moves_both_times_and_its_clones() {
        let clock = ManualClock::new(start());
        let other = clock.clone();
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        clock.advance(Duration::from_secs(90));
        assert_eq!(other.now() - wall, TimeDelta::seconds(90));
        assert_eq!(other.monotonic() - monotonic, Duration::from_secs(90));
    }

    #[test]
    fn setting_the_wall_back_leaves_the_monotonic_clock_alone() {
        let clock = ManualClock::new(start());
        let monotonic = clock.monotonic();
        clock.set_wall(start() - TimeDelta::hours(1));
        assert_eq!(clock.monotonic(), monotonic);
        assert_eq!(clock.now(), to_microseconds(start() - TimeDelta::hours(1)));
    }

    #[test]
    fn adding_too_much_ends_at_the_last_time() {
        assert_eq!(plus(start(), Duration::MAX), DateTime::<Utc>::MAX_UTC);
    }
}
