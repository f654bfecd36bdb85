//! What the embedded bus needs of a database. `store` satisfies it with its own tables; `runtime` joins the two.

use async_trait::async_trait;
use postroom_events::{Consumer, EventEnvelope, ReplayId};
use uuid::Uuid;

/// The database failed; the text says how.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct QueueError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// A delivery to be appended to a consumer's queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewQueueEntry {
    /// Whose queue.
    pub consumer: Consumer,
    /// The event as logged.
    pub envelope: EventEnvelope,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The live replay it belongs to.
    pub replay_id: ReplayId,
}

/// A delivery that was claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueEntry {
    /// Its position: the order within the queue, and its name for [`Settlement`].
    pub position: i64,
    /// The envelope as stored, readable or not.
    pub envelope: serde_json::Value,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The live replay it belongs to.
    pub replay_id: ReplayId,
    /// How often it has been claimed, this time included.
    pub delivery_count: u32,
}

/// What became of claimed deliveries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settlement {
    /// Done: delete them.
    pub acked: Vec<i64>,
    /// Release their claims, so that they are handed out again.
    pub requeued: Vec<i64>,
    /// Delete them and write a dead letter for each, with the reason, in one transaction.
    pub dead: Vec<(i64, String)>,
}

impl Settlement {
    /// Whether there is nothing to settle.
    pub fn is_empty(&self) -> bool {
        self.acked.is_empty() && self.requeued.is_empty() && self.dead.is_empty()
    }
}

/// Durable queues, one for each consumer. Every method is durable when it returns, and all of it or nothing of it
/// has happened.
#[async_trait]
pub trait QueueStore: Send + Sync + std::fmt::Debug {
    /// Appends deliveries in the order given.
    async fn enqueue(&self, entries: Vec<NewQueueEntry>) -> Result<(), QueueError>;

    /// Claims up to `max` unclaimed deliveries of a queue for the process run `boot`, lowest position first, raises
    /// their delivery counts, and returns them by ascending position.
    async fn claim(&self, consumer: Consumer, boot: Uuid, max: usize) -> Result<Vec<QueueEntry>, QueueError>;

    /// Settles claimed deliveries of a queue. Positions that are gone are passed over, so that it may be repeated.
    async fn settle(&self, consumer: Consumer, settlement: &Settlement) -> Result<(), QueueError>;

    /// Releases every claim that is not of `boot`; says how many.
    async fn recover(&self, boot: Uuid) -> Result<u64, QueueError>;
}
