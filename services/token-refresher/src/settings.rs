//! What can be set of the refresher. The defaults are for production; tests use shorter times.

use std::time::Duration;

/// Times and numbers of the refresher.
#[derive(Debug, Clone, Copy)]
pub struct RefresherSettings {
    /// How long one event holds a grant for one refresh.
    pub hold: Duration,
    /// How long one refresh may take, discovery of the provider's endpoints included. Well below `hold`, so that nobody
    /// else begins while an answer may still come.
    pub refresh_limit: Duration,
    /// How often there is a look for due grants, if nothing was due earlier.
    pub look_every: Duration,
    /// Grants announced by one transaction.
    pub batch: u64,
    /// Event loops side by side: a provider that does not answer holds one batch up, and not the others.
    pub loops: usize,
    /// A grant whose accounts are all paused is refreshed this often, so that it does not die of disuse.
    pub unused_refresh_every: Duration,
    /// How often such a grant is looked at.
    pub unused_look_every: Duration,
    /// How often the ends of client secrets and certificates are looked at.
    pub registrations_look_every: Duration,
}

impl Default for RefresherSettings {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(60),
            refresh_limit: Duration::from_secs(45),
            look_every: Duration::from_secs(2),
            batch: 200,
            loops: 4,
            unused_refresh_every: Duration::from_secs(7 * 24 * 60 * 60),
            unused_look_every: Duration::from_secs(24 * 60 * 60),
            registrations_look_every: Duration::from_secs(24 * 60 * 60),
        }
    }
}
