//! What can be set of the fetcher. The defaults are for production; tests use shorter times.

use std::time::Duration;

/// Times, sizes and numbers of the fetcher.
#[derive(Debug, Clone, Copy)]
pub struct FetcherSettings {
    /// How long an account stays with a worker that no longer answers.
    pub lease: Duration,
    /// How often other folders than INBOX are asked whether something changed.
    pub scan_every: Duration,
    /// How often every UID and flag of every folder is compared.
    pub compare_every: Duration,
    /// How often folders are listed again.
    pub list_every: Duration,
    /// How long a message that left a folder may take to appear in another one, before it counts as deleted.
    pub grace: Duration,
    /// How often a server without IDLE is asked.
    pub poll_every: Duration,
    /// How long the first sync goes on before there is a look for new mail.
    pub segment: Duration,
    /// Messages in one batch at most: one command, one pack, one transaction.
    pub batch_messages: usize,
    /// Bytes of raw mail in one batch at most, unless one message is larger.
    pub batch_bytes: u64,
    /// A larger message is fetched alone and in pieces, in bytes.
    pub whole_message: u32,
    /// Of a larger message only the beginning is kept, in bytes.
    pub largest_message: u64,
    /// Accounts whose bulk mail is fetched at the same time: what bounds memory.
    pub bulk_accounts: usize,
    /// Accounts that connect at the same time.
    pub connecting: usize,
}

impl Default for FetcherSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            scan_every: Duration::from_secs(60),
            compare_every: Duration::from_secs(3600),
            list_every: Duration::from_secs(600),
            grace: Duration::from_secs(10),
            poll_every: Duration::from_secs(30),
            segment: Duration::from_secs(2),
            batch_messages: 500,
            batch_bytes: 2 * 1024 * 1024,
            whole_message: 2 * 1024 * 1024,
            largest_message: 64 * 1024 * 1024,
            bulk_accounts: 2,
            connecting: 16,
        }
    }
}

impl FetcherSettings {
    /// A worker renews its leases this often.
    pub fn renew_every(&self) -> Duration {
        self.lease / 3
    }

    /// A step must have ended so long before its lease: clocks differ, and a commit takes its time.
    pub fn lease_margin(&self) -> Duration {
        self.lease / 10
    }
}
