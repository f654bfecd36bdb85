//! The way of messages from the connection into the store: read, bounded by bytes -> parsed, packed and made durable off
//! the connection's task -> committed, in order, together with how far the folder has come.

use std::{collections::VecDeque, num::NonZeroU32, sync::Arc, time::Instant};

use futures::StreamExt;
use postroom_events::FolderId;
use postroom_mail::imap::{FetchSettings, FetchedMessage, MessageFetch, MessageSize, Uid, UidSet};
use postroom_telemetry::names;
use tokio::sync::mpsc;

use super::{MailboxSync, commit::Committer, prepare};
use crate::{FetcherSettings, step_error::StepError};

/// Fetch commands under way at once: hides the time of a round trip.
const IN_FLIGHT: usize = 2;
/// Batches that are parsed and packed at once.
const PREPARED_AT_ONCE: usize = 2;

/// Why messages are taken in: decides what they are announced as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They are at or above the folder's cursor.
    New,
    /// The first sync, newest first.
    Backfill,
    /// They were missing where all should have been stored.
    Repair,
}

/// What to take in.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) kind: Kind,
    /// In the order in which they are fetched, one command each.
    pub(super) sets: Vec<UidSet>,
    /// A longer message is fetched alone, in bytes.
    pub(super) body_limit: u32,
    /// No further command is begun after this time.
    pub(super) until: Option<Instant>,
}

/// What was taken in.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The server refused to give some messages out.
    pub(super) refused: bool,
}

/// Messages as they came, at most a batch.
#[derive(Debug, Default)]
pub(super) struct RawBatch {
    pub(super) messages: Vec<FetchedMessage>,
    /// The lowest and the highest UID of the sets that are complete with this batch.
    pub(super) completes: Option<(i64, i64)>,
}

/// Sets of at most a batch each, in the order of `sizes`.
pub(super) fn plan(sizes: &[MessageSize], settings: &FetcherSettings) -> Vec<UidSet> {
    let mut sets = Vec::new();
    let mut current: Vec<Uid> = Vec::new();
    let mut bytes = 0_u64;
    for message in sizes {
        // Of a longer one only the beginning comes.
        let size = u64::from(message.size.min(settings.whole_message));
        let full = current.len() >= settings.batch_messages || bytes + size > settings.batch_bytes;
        if full && !current.is_empty() {
            sets.push(current.drain(..).collect());
            bytes = 0;
        }
        bytes += size;
        current.push(message.uid);
    }
    if !current.is_empty() {
        sets.push(current.into_iter().collect());
    }
    sets
}

impl MailboxSync<'_> {
    /// Takes messages of the open folder in. Dropped half-way, it has committed whole batches only.
    pub(super) async fn take_in(&mut self, id: FolderId, intake: Intake) -> Result<Taken, StepError> {
        if intake.sets.is_empty() {
            return Ok(Taken::default());
        }
        let mut committer = Committer::new(
            self.fetcher,
            self.lease,
            &self.account,
            self.folders.get(id)?.row.clone(),
            intake.kind,
            self.metadata(),
        );
        let fetch = self.session.fetch_messages(
            intake.sets.iter().cloned(),
            FetchSettings {
                in_flight: IN_FLIGHT,
                body_limit: NonZeroU32::new(intake.body_limit),
            },
        );
        let (sender, receiver) = mpsc::channel(1);
        let reader = Reader {
            sender,
            sets: intake.sets.into_iter().map(Awaited::new).collect(),
            settings: self.fetcher.settings,
            batch: RawBatch::default(),
            bytes: 0,
            oversize: Vec::new(),
            highest: None,
            clock: Arc::clone(self.fetcher.store.clock()),
            until: intake.until,
        };
        let (read, stored) = tokio::join!(
            Box::pin(reader.read(fetch)),
            Box::pin(store_all(&mut committer, receiver))
        );
        let (done, total) = committer.progress();
        stored?;
        let read = read?;
        (self.account.messages_done, self.account.messages_total) = (done, total);
        self.reload(id).await?;
        for uid in read.oversize {
            self.take_in_large(id, uid, intake.kind).await?;
        }
        Ok(Taken {
            refused: read.refused,
        })
    }
}

/// Stores batches in the order in which they were read.
async fn store_all(
    committer: &mut Committer<'_>,
    receiver: mpsc::Receiver<RawBatch>,
) -> Result<(), StepError> {
    let preparer = committer.preparer();
    let batches = futures::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    let mut prepared = Box::pin(
        batches
            .map(|batch| prepare::prepare(&preparer, batch))
            .buffered(PREPARED_AT_ONCE),
    );
    while let Some(batch) = prepared.next().await {
        committer.commit(batch?).await?;
    }
    Ok(())
}

struct Reader {
    sender: mpsc::Sender<RawBatch>,
    /// The sets up to which everything is complete are taken from the front.
    sets: VecDeque<Awaited>,
    settings: FetcherSettings,
    batch: RawBatch,
    bytes: u64,
    oversize: Vec<Uid>,
    /// The highest UID that came.
    highest: Option<Uid>,
    clock: Arc<dyn postroom_retry::Clock>,
    until: Option<Instant>,
}

/// A set that was asked for.
struct Awaited {
    set: UidSet,
    /// How many of its UIDs are not answered yet; `None` for an open set, which is answered at once.
    waiting: Option<u64>,
}

struct Read {
    oversize: Vec<Uid>,
    refused: bool,
}

impl Awaited {
    fn new(set: UidSet) -> Self {
        Self {
            waiting: set.len(),
            set,
        }
    }

    fn is_complete(&self) -> bool {
        self.waiting == Some(0)
    }

    /// A part of it, or all, was answered.
    fn answered(&mut self, part: &UidSet) {
        self.waiting = match (self.waiting, part.len()) {
            (Some(waiting), Some(answered)) => Some(waiting.saturating_sub(answered)),
            _ => Some(0),
        };
    }

    fn holds(&self, part: &UidSet) -> bool {
        part.is_open() || part.iter().next().is_some_and(|uid| self.set.contains(uid))
    }
}

impl Reader {
    async fn read(mut self, mut fetch: MessageFetch<'_>) -> Result<Read, StepError> {
        let mut refused = false;
        loop {
            let message = match fetch.next().await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) if error.leaves_session_usable() => {
                    tracing::warn!(%error, "The server does not give some messages out; they are asked for one by one");
                    refused = true;
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            metrics::counter!(names::FETCHED_BYTES).increment(message.raw.len() as u64);
            self.note_answered(fetch.take_completed()).await?;
            self.highest = self.highest.max(Some(message.uid));
            if message.complete {
                self.take(message).await?;
            } else {
                self.oversize.push(message.uid);
            }
            if self.until.is_some_and(|until| self.clock.monotonic() >= until) {
                fetch.finish_early();
                self.until = None;
            }
        }
        self.note_answered(fetch.take_completed()).await?;
        self.flush(None).await?;
        Ok(Read {
            oversize: self.oversize,
            refused,
        })
    }

    async fn take(&mut self, message: FetchedMessage) -> Result<(), StepError> {
        let size = message.raw.len() as u64;
        let full = self.batch.messages.len() >= self.settings.batch_messages
            || self.bytes + size > self.settings.batch_bytes;
        if full && !self.batch.messages.is_empty() {
            self.flush(None).await?;
        }
        self.bytes += size;
        self.batch.messages.push(message);
        Ok(())
    }

    /// Notes which sets were answered. What is complete from the front on goes into the store with all that was read.
    async fn note_answered(&mut self, parts: Vec<UidSet>) -> Result<(), StepError> {
        for part in parts {
            if let Some(awaited) = self.sets.iter_mut().find(|awaited| awaited.holds(&part)) {
                awaited.answered(&part);
            }
        }
        let mut completes = None;
        while let Some(awaited) = self.sets.pop_front_if(|awaited| awaited.is_complete()) {
            let bounds = match awaited.set.is_open() {
                // What came tells how far it goes.
                true => self
                    .highest
                    .map(|last| (i64::from(last.get()), i64::from(last.get()))),
                false => bounds(&awaited.set),
            };
            completes = merged(completes, bounds);
        }
        match completes {
            Some(_) => self.flush(completes).await,
            None => Ok(()),
        }
    }

    async fn flush(&mut self, completes: Option<(i64, i64)>) -> Result<(), StepError> {
        let mut batch = std::mem::take(&mut self.batch);
        batch.completes = completes;
        self.bytes = 0;
        if batch.messages.is_empty() && completes.is_none() {
            return Ok(());
        }
        let gone = |_| StepError::Crashed("what stores the messages has stopped".into());
        self.sender.send(batch).await.map_err(gone)
    }
}

fn bounds(set: &UidSet) -> Option<(i64, i64)> {
    let lowest = set.iter().min()?.get();
    let highest = set.iter().max()?.get();
    Some((lowest.into(), highest.into()))
}

fn merged(one: Option<(i64, i64)>, other: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_keeps_the_order_and_the_bounds() {
        let settings = FetcherSettings {
            batch_messages: 3,
            batch_bytes: 100,
            whole_message: 90,
            ..FetcherSettings::default()
        };
        let size = |uid: u32, size| MessageSize {
            uid: Uid::new(uid).unwrap(),
            size,
        };
        let sizes = [
            size(9, 10),
            size(8, 10),
            size(7, 10),
            size(6, 10),
            size(5, 5_000),
            size(4, 60),
            size(3, 41),
        ];
        let texts: Vec<_> = plan(&sizes, &settings).iter().map(UidSet::to_string).collect();
        assert_eq!(
            texts,
            ["7:9", "5:6", "4", "3"],
            "a longer one counts for its beginning"
        );
        assert!(plan(&[], &settings).is_empty());
        assert_eq!(bounds(&plan(&sizes, &settings)[0]), Some((7, 9)));
    }
}
