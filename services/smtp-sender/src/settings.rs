//! What can be set of the sender. The defaults are for production; tests use shorter times.

use std::time::Duration;

use chrono::TimeDelta;
use postroom_retry::{RetryPolicy, policies};
use postroom_runtime::LoopOptions;

/// Times, sizes and numbers of the sender.
#[derive(Debug, Clone, Copy)]
pub struct SenderSettings {
    /// How long a submission stays with a worker that no longer answers. A living worker renews its claims, so that this
    /// may be much shorter than a server takes to answer.
    pub claim: Duration,
    /// How long the answer to the final dot is waited for (RFC 5321 section 4.5.3.2.6: 10 minutes). Giving up early makes
    /// an unknown out of an accepted mail.
    pub acceptance: Duration,
    /// How long signing in and handing a mail over may take, the mail's own size aside.
    pub hand_over: Duration,
    /// How long an event waits for its mail. What takes longer goes on by itself, and makes room for others.
    pub patience: Duration,
    /// Event loops of one process: while one waits, the others go on.
    pub loops: usize,
    /// Connections of this process, over all accounts.
    pub connections: usize,
    /// Bytes of large mails that are in memory at the same time.
    pub large_mail_bytes: usize,
    /// A connection that nobody needed for so long is closed.
    pub idle: Duration,
    /// A connection is used no longer than this.
    pub connection_age: Duration,
    /// A connection is used for at most so many mails.
    pub mails_per_connection: u32,
    /// When a mail that was not taken for now is tried again.
    pub deferred: RetryPolicy,
    /// What a mail waits for that a person, or another service, has to end is announced when it ends; there is a look all
    /// the same, after as long as the mail has waited already, but not sooner than this.
    pub look_again_soonest: Duration,
    /// And not later than this: how long a mail waits at most if the announcement and the look before it missed each other.
    pub look_again_latest: Duration,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            claim: Duration::from_secs(30),
            acceptance: Duration::from_secs(600),
            hand_over: Duration::from_secs(300),
            patience: Duration::from_secs(2),
            loops: 4,
            connections: 256,
            large_mail_bytes: 32 * 1024 * 1024,
            idle: Duration::from_secs(30),
            connection_age: Duration::from_secs(600),
            mails_per_connection: 100,
            deferred: policies::SEND_DEFERRED,
            look_again_soonest: Duration::from_secs(5),
            look_again_latest: Duration::from_secs(600),
        }
    }
}

/// A fault of the database while an event is handled. A mail may be days old and must not become a dead letter because
/// of it; it has a time of its own after which it has failed.
const HANDLE_SENDING: RetryPolicy = RetryPolicy {
    max_attempts: None,
    give_up_after: None,
    ..policies::HANDLE_EVENT
};

impl SenderSettings {
    /// Claims are renewed this often.
    pub(crate) fn renew_every(&self) -> Duration {
        self.claim / 3
    }

    /// So much of a claim must be left when the final dot leaves: clocks differ, and a commit takes its time.
    pub(crate) fn claim_margin(&self) -> Duration {
        self.claim / 10
    }

    /// How long signing in and handing over a mail of that size may take: 32 KiB a second is a slow line.
    pub(crate) fn hand_over_limit(&self, size: u64) -> Duration {
        self.hand_over + Duration::from_secs(size / (32 * 1024))
    }

    /// When to look again for a mail that was asked for so long ago. Each look writes rows; so there are few.
    pub(crate) fn look_again_after(&self, waited: TimeDelta) -> Duration {
        let waited = waited.to_std().unwrap_or_default();
        waited.clamp(self.look_again_soonest, self.look_again_latest)
    }

    pub(crate) fn loop_options(&self) -> LoopOptions {
        LoopOptions {
            // No more than one batch: what waits here is missing at another worker.
            prefetch: 25,
            act_limit: self.patience * 2 + Duration::from_secs(60),
            policy: HANDLE_SENDING,
            ..LoopOptions::OUTSIDE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_that_waits_for_two_days_is_looked_at_a_few_hundred_times_at_most() {
        let settings = SenderSettings::default();
        let mut waited = TimeDelta::zero();
        let mut looks = 0;
        while waited < TimeDelta::days(2) {
            let wait = settings.look_again_after(waited);
            assert!(wait >= Duration::from_secs(5) && wait <= Duration::from_secs(600));
            waited += TimeDelta::from_std(wait).unwrap();
            looks += 1;
        }
        assert!(looks < 300, "{looks}");
        let early = settings.look_again_after(TimeDelta::seconds(-3));
        assert_eq!(early, Duration::from_secs(5), "clocks differ");
    }
}
