//! Committing a batch: messages, locations, the folder's cursor, progress, and what is announced, in one transaction.

use std::time::Instant;

use postroom_events::{
    BackfillProgressed, Event, EventMetadata, MessageId, MessageQuarantined, MessageReceived,
    MessagesImported,
};
use postroom_store::{
    Account, Folder, StoreError, accounts, events,
    folders::{self, CursorUpdate, FolderRole},
    leases::Lease,
    messages,
};
use postroom_telemetry::names;

use super::{
    intake::Kind,
    prepare::{self, Prepared, Preparer},
};
use crate::{Fetcher, step_error::StepError};

/// How often a batch is prepared anew because others changed what was known.
const MAX_ATTEMPTS: u32 = 5;
/// Ids in one event: 500 are allowed, and 200 fit one statement of the store well.
const EVENT_IDS: usize = 200;

/// Commits the batches of one folder, in order.
pub(super) struct Committer<'a> {
    fetcher: &'a Fetcher,
    lease: Lease,
    account_id: postroom_events::AccountId,
    /// The first sync of the account is under way: its progress is told.
    first_sync: bool,
    done: i64,
    total: i64,
    folder: Folder,
    kind: Kind,
    metadata: EventMetadata,
}

impl<'a> Committer<'a> {
    pub(super) fn new(
        fetcher: &'a Fetcher,
        lease: Lease,
        account: &Account,
        folder: Folder,
        kind: Kind,
        metadata: EventMetadata,
    ) -> Self {
        Self {
            fetcher,
            lease,
            account_id: account.id,
            first_sync: account.backfilled_at.is_none() && kind == Kind::Backfill,
            done: account.messages_done,
            total: account.messages_total,
            folder,
            kind,
            metadata,
        }
    }

    /// What the batches are prepared for.
    pub(super) fn preparer(&self) -> Preparer {
        Preparer {
            store: self.fetcher.store.clone(),
            packs: self.fetcher.packs.clone(),
            account_id: self.account_id,
            folder_id: self.folder.id,
            uid_validity: self.folder.uid_validity.unwrap_or_default(),
        }
    }

    /// Messages done, and their total, in the first sync.
    pub(super) fn progress(&self) -> (i64, i64) {
        (self.done, self.total)
    }

    /// Commits a batch. Prepares it anew where what was known has changed since.
    pub(super) async fn commit(&mut self, mut prepared: Prepared) -> Result<(), StepError> {
        let began = Instant::now();
        for attempt in 1.. {
            let (completes, parsed) = (prepared.completes, std::sync::Arc::clone(&prepared.parsed));
            let pack = prepared.batch.pack;
            match self.try_commit(prepared).await {
                Ok(()) => break,
                Err(StepError::Store(StoreError::AlreadyExists { .. } | StoreError::Outdated { .. }))
                    if attempt < MAX_ATTEMPTS =>
                {
                    // Nothing of it is on disk but the pack.
                    if let Some(pack) = pack {
                        self.fetcher.packs.delete(pack.account_id, pack.id).await?;
                    }
                    prepared = prepare::resolve(&self.preparer(), parsed, completes).await?;
                }
                Err(error) => return Err(error),
            }
        }
        let step = match self.kind {
            Kind::New => "changes",
            Kind::Backfill => "backfill",
            Kind::Repair => "scan",
        };
        metrics::histogram!(names::SYNC_STEP_SECONDS, "step" => step).record(began.elapsed().as_secs_f64());
        Ok(())
    }

    #[tracing::instrument(name = "store.record_batch", skip_all)]
    async fn try_commit(&mut self, prepared: Prepared) -> Result<(), StepError> {
        let tx = self.fetcher.guarded(&self.lease, "imap.record_batch").await?;
        let count = prepared.batch.locations.len() as i64;
        let told = self.announcements(&prepared);
        let stored = prepared.new.len() as u64;
        let cursor = self.cursor(&prepared);
        messages::record_batch(&tx, prepared.batch).await?;
        folders::advance(&tx, self.folder.id, cursor).await?;
        let mut told = told;
        let done = self.done + count;
        if self.first_sync && count > 0 {
            let total = self.total.max(done);
            accounts::set_progress(&tx, self.account_id, done, total, false).await?;
            told.push(
                BackfillProgressed {
                    account_id: self.account_id,
                    messages_done: done,
                    messages_total: total,
                }
                .into(),
            );
        }
        for told in together(told) {
            events::append(&tx, &self.metadata, told).await?;
        }
        tx.commit().await?;
        if self.first_sync {
            self.done = done;
            self.total = self.total.max(done);
        }
        self.folder.uid_next = cursor.uid_next.or(self.folder.uid_next);
        let kind = if self.kind == Kind::New { "new" } else { "backfill" };
        metrics::counter!(names::MESSAGES_STORED, "kind" => kind).increment(stored);
        Ok(())
    }

    /// How far the folder has come with this batch.
    fn cursor(&self, prepared: &Prepared) -> CursorUpdate {
        let Some((lowest, highest)) = prepared.completes else {
            return CursorUpdate::default();
        };
        match self.kind {
            Kind::New => CursorUpdate {
                uid_next: Some((highest + 1).max(self.folder.uid_next.unwrap_or(1))),
                ..CursorUpdate::default()
            },
            Kind::Backfill => CursorUpdate {
                backfill_below_uid: Some(lowest),
                ..CursorUpdate::default()
            },
            Kind::Repair => CursorUpdate::default(),
        }
    }

    /// New mail one by one, everything else by batch; what was known before not at all. What appears among the sent mail
    /// and the drafts was written here: nobody has received it.
    fn announcements(&self, prepared: &Prepared) -> Vec<Event> {
        let first_new = match self.folder.known_role() {
            Some(FolderRole::Sent | FolderRole::Drafts) => i64::MAX,
            _ => self.folder.first_uid_next.unwrap_or(i64::MAX),
        };
        let (received, imported): (Vec<_>, Vec<_>) = prepared
            .new
            .iter()
            .copied()
            .partition(|(uid, _)| *uid >= first_new);
        let mut told: Vec<Event> = received
            .into_iter()
            .map(|(_, message_id)| {
                MessageReceived {
                    account_id: self.account_id,
                    folder_id: self.folder.id,
                    message_id,
                }
                .into()
            })
            .collect();
        let imported: Vec<MessageId> = imported.into_iter().map(|(_, id)| id).collect();
        told.extend(imported.chunks(EVENT_IDS).map(|ids| {
            Event::from(MessagesImported {
                account_id: self.account_id,
                folder_id: self.folder.id,
                message_ids: ids.to_vec(),
            })
        }));
        told.extend(prepared.quarantined.iter().map(|(message_id, cause)| {
            Event::from(MessageQuarantined {
                account_id: self.account_id,
                message_id: *message_id,
                cause: (*cause).to_owned(),
            })
        }));
        told
    }
}

/// Events that are appended together: some small ones, or one large one.
fn together(events: Vec<Event>) -> Vec<Vec<Event>> {
    let mut groups: Vec<Vec<Event>> = Vec::new();
    let mut open = false;
    for event in events {
        let large = matches!(event, Event::MessagesImported(_));
        match groups
            .last_mut()
            .filter(|group| open && !large && group.len() < 10)
        {
            Some(group) => group.push(event),
            None => groups.push(vec![event]),
        }
        open = !large;
    }
    groups
}
