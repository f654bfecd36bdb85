//! How often a tenant may ask for what makes Postroom connect to servers that strangers name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use postroom_events::TenantId;
use postroom_retry::Clock;

const WINDOW: Duration = Duration::from_secs(60);

/// Counts per tenant, a minute at a time, in this process. It holds at most one count per tenant that asked within the
/// last minute.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    limit: u32,
    counts: Mutex<HashMap<TenantId, (Instant, u32)>>,
}

impl Pace {
    /// `limit` in a minute.
    pub(crate) fn new(clock: Arc<dyn Clock>, limit: u32) -> Self {
        Self {
            clock,
            limit,
            counts: Mutex::default(),
        }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// How long to wait, when it would be one too many.
    pub(crate) fn take(&self, tenant: TenantId) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, (begun, _)| now.duration_since(*begun) < WINDOW);
        let (begun, count) = counts.entry(tenant).or_insert((now, 0));
        if *count >= self.limit {
            return Err(WINDOW.saturating_sub(now.duration_since(*begun)));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_retry::ManualClock;

    #[test]
    fn each_tenant_has_its_own_count_and_a_new_one_every_minute() {
        let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
        let pace = Pace::new(Arc::new(clock.clone()), 2);
        let (ours, theirs) = (TenantId::generate(), TenantId::generate());
        assert_eq!((pace.take(ours), pace.take(ours)), (Ok(()), Ok(())));
        clock.advance(Duration::from_secs(20));
        assert_eq!(pace.take(ours), Err(Duration::from_secs(40)));
        assert_eq!(pace.take(theirs), Ok(()));
        clock.advance(Duration::from_secs(40));
        assert_eq!(pace.take(ours), Ok(()));
        assert_eq!(pace.counts.lock().unwrap().len(), 2);
    }
}
