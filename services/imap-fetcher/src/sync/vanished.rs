//! What is gone from a folder: held for a while, because it may have been moved and appear in another folder. New UIDs
//! are read first; what appears elsewhere was moved, the rest was deleted.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use chrono::{DateTime, Utc};
use postroom_events::{Event, FolderId, MessageDeleted, MessageId, MessageMoved};
use postroom_mail::imap::UidSet;
use postroom_store::{
    Folder, events,
    folders::{self, CursorUpdate},
    locations::{self, Departure},
};

use super::{
    MailboxSync,
    flags::to_uid,
    intake::{Intake, Kind, plan},
};
use crate::{Fetcher, step_error::StepError};

/// UIDs that leave in one transaction.
const AT_ONCE: usize = 500;

/// Messages that left a folder and may yet appear in another one.
#[derive(Debug)]
pub(super) struct Vanished {
    pub(super) folder_id: FolderId,
    uid_validity: i64,
    uids: Vec<i64>,
    since: Instant,
    /// What came to another folder after this time was moved there.
    moved_since: DateTime<Utc>,
    /// The folder itself is gone.
    forget_folder: bool,
}

impl Vanished {
    /// Everything in a folder that is gone itself.
    pub(super) async fn whole_folder(fetcher: &Fetcher, row: &Folder) -> Result<Self, StepError> {
        let uid_validity = row.uid_validity.unwrap_or_default();
        let uids = locations::uids(fetcher.store.read(), row.id, uid_validity).await?;
        let vanished = Self::now(fetcher, row, uids);
        Ok(Self {
            forget_folder: true,
            ..vanished
        })
    }

    /// Whether a folder is held, not messages of one.
    pub(super) fn is_whole_folder(&self) -> bool {
        self.forget_folder
    }

    fn now(fetcher: &Fetcher, row: &Folder, uids: Vec<i64>) -> Self {
        let settings = fetcher.settings;
        Self {
            folder_id: row.id,
            uid_validity: row.uid_validity.unwrap_or_default(),
            uids,
            since: fetcher.store.clock().monotonic(),
            // It may have been seen in its new folder by the scan before this one.
            moved_since: fetcher.store.clock().now() - settings.scan_every * 2 - settings.grace,
            forget_folder: false,
        }
    }
}

impl MailboxSync<'_> {
    /// Compares the UIDs of the open folder with what is stored: what is gone is held, what is missing is fetched.
    #[tracing::instrument(name = "imap.compare_uids", skip_all)]
    pub(super) async fn compare_uids(&mut self, id: FolderId) -> Result<(), StepError> {
        let on_server: HashSet<i64> = self
            .session
            .all_uids()
            .await?
            .into_iter()
            .map(|uid| uid.get().into())
            .collect();
        let folder = self.folders.get(id)?;
        let row = folder.row.clone();
        let Some(uid_validity) = row.uid_validity else {
            return Ok(());
        };
        let stored = locations::uids(self.fetcher.store.read(), id, uid_validity).await?;
        let held: HashSet<i64> = self
            .vanished
            .iter()
            .filter(|vanished| vanished.folder_id == id)
            .flat_map(|vanished| vanished.uids.iter().copied())
            .collect();
        let gone: Vec<i64> = stored
            .iter()
            .copied()
            .filter(|uid| !on_server.contains(uid) && !held.contains(uid))
            .collect();
        let stored: HashSet<i64> = stored.into_iter().collect();
        // What the first sync has not reached, and what is new, is somebody else's turn.
        let lowest = match row.backfill_completed_at {
            Some(_) => 0,
            None => row.backfill_below_uid.unwrap_or(i64::MAX),
        };
        let expected = lowest..row.uid_next.unwrap_or(0);
        let mut missing: Vec<i64> = on_server
            .into_iter()
            .filter(|uid| expected.contains(uid) && !stored.contains(uid) && !folder.refused.contains(uid))
            .collect();
        missing.sort_unstable();
        self.hold(&row, gone);
        self.repair(id, &missing).await?;
        self.note_compared(id).await
    }

    fn hold(&mut self, row: &Folder, gone: Vec<i64>) {
        if gone.is_empty() {
            return;
        }
        tracing::debug!(folder.id = %row.id, count = gone.len(), "Messages left a folder");
        self.vanished.push(Vanished::now(self.fetcher, row, gone));
        // They may have been moved: new UIDs of the other folders are read before it is decided.
        self.due.scan = self.now();
    }

    /// Fetches what is missing. What the server refuses even alone is not asked for again in this session.
    async fn repair(&mut self, id: FolderId, missing: &[i64]) -> Result<(), StepError> {
        if missing.is_empty() {
            return Ok(());
        }
        tracing::info!(folder.id = %id, count = missing.len(), "Fetches messages that were missing");
        let uids: UidSet = missing.iter().filter_map(|uid| to_uid(*uid)).collect();
        let sizes = self.session.fetch_sizes(&uids).await?;
        let sets = plan(&sizes, &self.fetcher.settings);
        if !self.repair_sets(id, sets).await? {
            return Ok(());
        }
        for uid in missing {
            let Some(one) = to_uid(*uid) else { continue };
            if self.repair_sets(id, vec![UidSet::one(one)]).await? {
                tracing::warn!(folder.id = %id, uid, "The server lists a message and does not give it out");
                self.folders.get_mut(id)?.refused.insert(*uid);
            }
        }
        Ok(())
    }

    /// Gives whether the server refused something.
    async fn repair_sets(&mut self, id: FolderId, sets: Vec<UidSet>) -> Result<bool, StepError> {
        let intake = Intake {
            kind: Kind::Repair,
            sets,
            body_limit: self.fetcher.settings.whole_message,
            until: None,
        };
        Ok(self.take_in(id, intake).await?.refused)
    }

    async fn note_compared(&mut self, id: FolderId) -> Result<(), StepError> {
        let now = self.fetcher.store.clock().now();
        let tx = self.fetcher.guarded(&self.lease, "imap.note_compared").await?;
        let update = CursorUpdate {
            last_scan_at: Some(now),
            ..CursorUpdate::default()
        };
        folders::advance(&tx, id, update).await?;
        tx.commit().await?;
        self.folders.get_mut(id)?.row.last_scan_at = Some(now);
        Ok(())
    }

    /// Decides about what was held: at once for what has appeared elsewhere, after the time of grace for the rest.
    pub(super) async fn settle_vanished(&mut self) -> Result<(), StepError> {
        let grace = self.fetcher.settings.grace;
        // All folders have been looked at after the time of grace: what has not appeared by then does not.
        let scanned = self.scanned;
        let is_over = |vanished: &Vanished| scanned.is_some_and(|began| began >= vanished.since + grace);
        if self
            .vanished
            .iter()
            .any(|vanished| self.now() >= vanished.since + grace && !is_over(vanished))
        {
            self.due.scan = self.now();
        }
        let mut forgotten = None;
        for mut vanished in std::mem::take(&mut self.vanished) {
            let over = is_over(&vanished);
            let ready = if over {
                std::mem::take(&mut vanished.uids)
            } else {
                self.appeared_elsewhere(&mut vanished).await?
            };
            for uids in ready.chunks(AT_ONCE) {
                self.depart(&vanished, uids).await?;
            }
            if over && vanished.forget_folder {
                let tx = self.fetcher.guarded(&self.lease, "imap.forget_folder").await?;
                folders::forget(&tx, vanished.folder_id).await?;
                tx.commit().await?;
                forgotten = Some(vanished.folder_id);
            }
            if !over && (!vanished.uids.is_empty() || vanished.forget_folder) {
                self.vanished.push(vanished);
            }
        }
        match forgotten {
            // It may have been in the middle of being read anew.
            Some(id) => self.forget_unlinked(id).await,
            None => Ok(()),
        }
    }

    /// When the next decision is due.
    pub(super) fn vanished_due(&self) -> Option<Instant> {
        let grace = self.fetcher.settings.grace;
        self.vanished.iter().map(|vanished| vanished.since + grace).min()
    }

    /// Takes out what has appeared in another folder.
    async fn appeared_elsewhere(&mut self, vanished: &mut Vanished) -> Result<Vec<i64>, StepError> {
        let moved = locations::moved_elsewhere(
            self.fetcher.store.read(),
            vanished.folder_id,
            vanished.uid_validity,
            &vanished.uids,
            vanished.moved_since,
        )
        .await?;
        let moved_set: HashSet<i64> = moved.iter().copied().collect();
        vanished.uids.retain(|uid| !moved_set.contains(uid));
        Ok(moved)
    }

    async fn depart(&mut self, vanished: &Vanished, uids: &[i64]) -> Result<(), StepError> {
        let tx = self.fetcher.guarded(&self.lease, "imap.depart").await?;
        let from = vanished.folder_id;
        let departures =
            locations::remove(&tx, from, vanished.uid_validity, uids, vanished.moved_since).await?;
        let mut deleted = Vec::new();
        let mut moved: BTreeMap<FolderId, Vec<MessageId>> = BTreeMap::new();
        for (message_id, departure) in departures {
            match departure {
                Departure::Gone => deleted.push(message_id),
                Departure::Moved(to) => moved.entry(to).or_default().push(message_id),
                Departure::StillElsewhere => {}
            }
        }
        let mut told: Vec<Event> = moved
            .into_iter()
            .map(|(to_folder_id, message_ids)| {
                MessageMoved {
                    account_id: self.account.id,
                    from_folder_id: from,
                    to_folder_id,
                    message_ids,
                }
                .into()
            })
            .collect();
        if !deleted.is_empty() {
            told.push(
                MessageDeleted {
                    account_id: self.account.id,
                    folder_id: from,
                    message_ids: deleted,
                }
                .into(),
            );
        }
        events::append(&tx, &self.metadata(), told).await?;
        tx.commit().await?;
        Ok(())
    }
}
