//! Proofs that failed of late: whose they were, and whether they may try again.
//!
//! A process counts for itself, and forgets with it. There is no count of client addresses: in front of these pages stands
//! a proxy, and behind the API a CRM, so that one address is many people. The person is counted in its place.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use postroom_events::TenantId;
use postroom_retry::Clock;
use sha2::{Digest, Sha256};

/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Failures within that time for one mailbox. Servers lock mailboxes after not many more.
const FOR_A_MAILBOX: usize = 10;
/// And for one person, whatever the mailbox.
const FOR_A_PERSON: usize = 30;
/// Keys that are remembered at most: some ten megabytes.
const MOST: usize = 50_000;

/// Whose failures are counted. It does not print: it holds an address.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    Mailbox(&'a str),
    Person(&'a str),
}

impl Whose<'_> {
    /// A digest, so that a key has the same size whatever was entered.
    fn key(self, tenant: TenantId) -> [u8; 32] {
        let (kind, name) = match self {
            Self::Mailbox(address) => ("mailbox", address.to_lowercase()),
            Self::Person(user_ref) => ("person", user_ref.to_owned()),
        };
        Sha256::digest(format!("{tenant} {kind} {name}")).into()
    }

    const fn limit(self) -> usize {
        match self {
            Self::Mailbox(_) => FOR_A_MAILBOX,
            Self::Person(_) => FOR_A_PERSON,
        }
    }
}

/// The times of each one's last failures, as many as its limit.
#[derive(Debug)]
pub(crate) struct FailedProofs {
    clock: Arc<dyn Clock>,
    failures: Mutex<HashMap<[u8; 32], VecDeque<Instant>>>,
}

impl FailedProofs {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            failures: Mutex::default(),
        }
    }

    /// Whether all of them may try.
    ///
    /// # Errors
    /// How long to wait.
    pub(crate) fn check<'a>(
        &self,
        tenant: TenantId,
        whose: impl IntoIterator<Item = Whose<'a>>,
    ) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = whose.into_iter().filter_map(|whose| {
            let times = failures.get(&whose.key(tenant))?;
            let oldest = times.len().checked_sub(whose.limit())?;
            WINDOW.checked_sub(now.duration_since(*times.get(oldest)?))
        });
        wait.max().filter(|wait| !wait.is_zero()).map_or(Ok(()), Err)
    }

    /// Counts a failure of each of them. Beyond the most keys, new ones are not counted until old ones have ended.
    pub(crate) fn note<'a>(&self, tenant: TenantId, whose: impl IntoIterator<Item = Whose<'a>>) {
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST {
            let ended = |time: &Instant| now.duration_since(*time) >= WINDOW;
            failures.retain(|_, times| times.back().is_some_and(|last| !ended(last)));
        }
        for whose in whose {
            let key = whose.key(tenant);
            if failures.len() >= MOST && !failures.contains_key(&key) {
                continue;
            }
            let times = failures.entry(key).or_default();
            times.push_back(now);
            if times.len() > whose.limit() {
                times.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_retry::ManualClock;

    fn failed(times: usize) -> (ManualClock, FailedProofs, TenantId) {
        let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
        let (proofs, tenant) = (FailedProofs::new(Arc::new(clock.clone())), TenantId::generate());
        for _ in 0..times {
            assert_eq!(proofs.check(tenant, [Whose::Mailbox("ada@example.org")]), Ok(()));
            proofs.note(tenant, [Whose::Mailbox("ada@example.org"), Whose::Person("u1")]);
            clock.advance(Duration::from_secs(1));
        }
        (clock, proofs, tenant)
    }

    #[test]
    fn ten_failures_in_ten_minutes_are_enough_for_that_mailbox_alone() {
        let (clock, proofs, tenant) = failed(FOR_A_MAILBOX);
        let wait = proofs.check(tenant, [Whose::Mailbox("Ada@example.org")]);
        assert_eq!(
            wait,
            Err(WINDOW - Duration::from_secs(10)),
            "until the first one has ended"
        );
        assert_eq!(proofs.check(tenant, [Whose::Mailbox("bob@example.org")]), Ok(()));
        assert_eq!(proofs.check(tenant, [Whose::Person("u1")]), Ok(()));
        let theirs = TenantId::generate();
        assert_eq!(proofs.check(theirs, [Whose::Mailbox("ada@example.org")]), Ok(()));
        clock.advance(WINDOW - Duration::from_secs(10));
        assert_eq!(proofs.check(tenant, [Whose::Mailbox("ada@example.org")]), Ok(()));
    }

    #[test]
    fn a_person_is_counted_over_all_mailboxes() {
        let (_clock, proofs, tenant) = failed(0);
        for n in 0..FOR_A_PERSON {
            proofs.note(
                tenant,
                [Whose::Mailbox(&format!("u{n}@example.org")), Whose::Person("u1")],
            );
        }
        let both = [Whose::Mailbox("new@example.org"), Whose::Person("u1")];
        assert_eq!(proofs.check(tenant, both), Err(WINDOW));
        assert_eq!(proofs.check(tenant, [Whose::Person("u2")]), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (clock, proofs, tenant) = failed(0);
        for n in 0..MOST + 10 {
            proofs.note(tenant, [Whose::Person(&n.to_string())]);
        }
        assert_eq!(proofs.failures.lock().unwrap().len(), MOST);
        clock.advance(WINDOW);
        proofs.note(tenant, [Whose::Person("new")]);
        assert_eq!(proofs.failures.lock().unwrap().len(), 1);
    }
}
