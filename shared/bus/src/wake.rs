//! Transient wake-ups to one worker.
//!
//! A wake-up says "look at your rows"; the rows are the truth. So it may be lost, doubled or late.

use async_trait::async_trait;
use postroom_events::{AccountId, WorkerId};
use serde::{Deserialize, Serialize};

/// There is work for an account that the worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wake {
    /// The account.
    pub account_id: AccountId,
}

/// Wakes workers.
#[async_trait]
pub trait WakeSender: Send + Sync {
    /// Wakes `worker`, if it lives and can be reached. Never fails and never waits for long.
    async fn wake(&self, worker: WorkerId, wakes: &[Wake]);
}

/// Hears the wake-ups to one worker.
#[async_trait]
pub trait WakeListener: Send {
    /// Waits for the next wake-up. Reconnects by itself; may be dropped while it waits.
    async fn next(&mut self) -> Wake;
}
