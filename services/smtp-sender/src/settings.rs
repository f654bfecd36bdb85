//! What can be set of the sender. The defaults are for production; tests use shorter times.

use std::time::Duration;

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
    /// How often there is a look for the token that comes after a refused or expired one.
    pub look_for_token_every: Duration,
    /// How often there is a look whether a person has ended what a mail waits for. Most of it is also announced.
    pub look_again_every: Duration,
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
            look_for_token_every: Duration::from_secs(5),
            look_again_every: Duration::from_secs(60),
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
