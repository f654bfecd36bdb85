//! The first sync: folder by folder, newest first, in pieces of a few seconds, each of which is committed batch by batch
//! with how far it has come. A crash goes on from there.

use postroom_events::{
    AccountState, BackfillCompleted, BackfillStarted, FolderId, MessageDeleted, WhoCanAct,
};
use postroom_mail::imap::{MessageSize, Uid, UidSet};
use postroom_store::{
    accounts::{self, StateChange},
    events,
    folders::{self, CursorUpdate},
    locations, messages,
};

use super::{
    MailboxSync,
    intake::{Intake, Kind, plan},
    open::Opening,
    vanished::Vanished,
};
use crate::step_error::StepError;

/// Messages whose sizes are asked for at once.
const SIZED_AT_ONCE: usize = 4_000;
/// Messages that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: u64 = 500;

/// What is still to be fetched of a folder.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) folder_id: FolderId,
    /// Ascending: the next one is the last.
    uids: Vec<Uid>,
}

impl MailboxSync<'_> {
    /// Fetches a piece of the first sync. Gives whether there may be more.
    #[tracing::instrument(name = "imap.backfill", skip_all)]
    pub(super) async fn backfill(&mut self) -> Result<bool, StepError> {
        let next = self
            .folders
            .synced()
            .into_iter()
            .find(|folder| folder.row.backfill_completed_at.is_none())
            .map(|folder| folder.row.id);
        let Some(id) = next else {
            self.complete_account().await?;
            return Ok(false);
        };
        if self.account.backfilled_at.is_none() && self.account.messages_total == 0 {
            self.start_account().await?;
        }
        let fetcher = self.fetcher;
        let _turn = fetcher
            .bulk
            .acquire()
            .await
            .map_err(|error| StepError::Crashed(error.to_string()))?;
        if let Opening::Unusable = self.open(id).await? {
            return Ok(true);
        }
        self.plan_folder(id).await?;
        let until = self.now() + fetcher.settings.segment;
        while self.now() < until {
            let Some(sets) = self.next_sets().await? else {
                self.complete_folder(id).await?;
                return Ok(true);
            };
            let intake = Intake {
                kind: Kind::Backfill,
                sets,
                body_limit: fetcher.settings.whole_message,
                until: Some(until),
            };
            let taken = self.take_in(id, intake).await?;
            if taken.refused {
                self.pass_by_refused(id).await?;
            }
            self.forget_done(id)?;
        }
        Ok(true)
    }

    /// Lists what is still to be fetched of a folder, once a session.
    async fn plan_folder(&mut self, id: FolderId) -> Result<(), StepError> {
        if self.plan.as_ref().is_some_and(|plan| plan.folder_id == id) {
            return Ok(());
        }
        let mut uids = self.session.all_uids().await?;
        uids.sort_unstable();
        // Stored already, by a piece that did not come to its end.
        let row = &self.folders.get(id)?.row;
        let uid_validity = row.uid_validity.unwrap_or_default();
        let stored = locations::uids(self.fetcher.store.read(), id, uid_validity).await?;
        uids.retain(|uid| stored.binary_search(&uid.get().into()).is_err());
        self.plan = Some(Plan { folder_id: id, uids });
        self.forget_done(id)
    }

    /// Takes from the plan what is stored already.
    fn forget_done(&mut self, id: FolderId) -> Result<(), StepError> {
        let row = &self.folders.get(id)?.row;
        let below = row.backfill_below_uid.or(row.uid_next).unwrap_or(0);
        if let Some(plan) = &mut self.plan {
            let keep = plan.uids.partition_point(|uid| i64::from(uid.get()) < below);
            plan.uids.truncate(keep);
        }
        Ok(())
    }

    /// The next sets, newest first; `None` when nothing is left.
    async fn next_sets(&mut self) -> Result<Option<Vec<UidSet>>, StepError> {
        let Some(plan) = self.plan.as_ref().filter(|plan| !plan.uids.is_empty()) else {
            return Ok(None);
        };
        let first = plan.uids.len().saturating_sub(SIZED_AT_ONCE);
        let next: Vec<Uid> = plan.uids.iter().skip(first).copied().collect();
        let sizes = self.session.fetch_sizes(&next.iter().copied().collect()).await?;
        let known: std::collections::HashMap<Uid, u32> =
            sizes.into_iter().map(|size| (size.uid, size.size)).collect();
        // One whose size the server does not tell, or that has gone, is asked for all the same: the cursor passes it.
        let sizes: Vec<MessageSize> = next
            .iter()
            .rev()
            .map(|uid| MessageSize {
                uid: *uid,
                size: known.get(uid).copied().unwrap_or(0),
            })
            .collect();
        Ok(Some(plan_of(&sizes, self)))
    }

    /// The server refuses some message of the next set. All others of it are fetched one by one, later, as missing ones.
    async fn pass_by_refused(&mut self, id: FolderId) -> Result<(), StepError> {
        let Some(lowest) = self
            .next_sets()
            .await?
            .and_then(|sets| sets.first().and_then(|set| set.iter().min()))
        else {
            return Ok(());
        };
        let tx = self.fetcher.guarded(&self.lease, "imap.pass_by_refused").await?;
        let update = CursorUpdate {
            backfill_below_uid: Some(lowest.get().into()),
            ..CursorUpdate::default()
        };
        folders::advance(&tx, id, update).await?;
        tx.commit().await?;
        self.reload(id).await?;
        self.compare_uids(id).await
    }

    /// Everything that was in the folder is stored.
    async fn complete_folder(&mut self, id: FolderId) -> Result<(), StepError> {
        let tx = self.fetcher.guarded(&self.lease, "imap.complete_folder").await?;
        let now = self.fetcher.store.clock().now();
        let update = CursorUpdate {
            backfill_completed_at: Some(now),
            ..CursorUpdate::default()
        };
        folders::advance(&tx, id, update).await?;
        tx.commit().await?;
        self.plan = None;
        self.reload(id).await?;
        if self.folders.get(id)?.row.resets > 0 {
            self.forget_unlinked(id).await?;
        }
        Ok(())
    }

    /// After a folder was read anew: what it did not bring back, and lies nowhere else, is gone.
    pub(super) async fn forget_unlinked(&mut self, id: FolderId) -> Result<(), StepError> {
        let may_come_back = self.vanished.iter().any(Vanished::is_whole_folder);
        if may_come_back || self.folders.some_being_read_anew() {
            return Ok(());
        }
        loop {
            let tx = self.fetcher.guarded(&self.lease, "imap.forget_unlinked").await?;
            let gone = messages::without_location(tx.db(), self.account.id, FORGOTTEN_AT_ONCE).await?;
            if gone.is_empty() {
                return Ok(());
            }
            messages::request_erasure(&tx, &gone).await?;
            let event = MessageDeleted {
                account_id: self.account.id,
                folder_id: id,
                message_ids: gone,
            };
            events::append(&tx, &self.metadata(), vec![event.into()]).await?;
            tx.commit().await?;
        }
    }

    /// Tells how much there is to do.
    async fn start_account(&mut self) -> Result<(), StepError> {
        let mut total = 0;
        for id in self
            .folders
            .synced()
            .iter()
            .map(|folder| folder.row.id)
            .collect::<Vec<_>>()
        {
            total += self.messages_in(id).await?;
        }
        let tx = self.fetcher.guarded(&self.lease, "imap.start_backfill").await?;
        accounts::set_progress(&tx, self.account.id, self.account.messages_done, total, false).await?;
        let event = BackfillStarted {
            account_id: self.account.id,
            messages_total: total,
        };
        events::append(&tx, &self.metadata(), vec![event.into()]).await?;
        tx.commit().await?;
        self.account.messages_total = total;
        Ok(())
    }

    async fn messages_in(&mut self, id: FolderId) -> Result<i64, StepError> {
        let folder = self.folders.get(id)?;
        if self.open == Some(id) || folder.row.uid_validity.is_some() {
            return Ok(folder.row.messages_on_server);
        }
        let name = folder.name.clone();
        match self.session.status(&name).await {
            Ok(status) => Ok(status.messages.unwrap_or(0).into()),
            Err(error) if error.leaves_session_usable() => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Every folder is stored: from now on the account is kept up.
    async fn complete_account(&mut self) -> Result<(), StepError> {
        if self.account.backfilled_at.is_some() {
            return Ok(());
        }
        let done = self.account.messages_done;
        let metadata = self.metadata();
        let tx = self
            .fetcher
            .guarded(&self.lease, "imap.complete_backfill")
            .await?;
        accounts::set_progress(&tx, self.account.id, done, done, true).await?;
        let event = BackfillCompleted {
            account_id: self.account.id,
            messages_done: done,
        };
        events::append(&tx, &metadata, vec![event.into()]).await?;
        let change = StateChange {
            account_id: self.account.id,
            credential_generation: Some(self.account.credential_generation),
            from: &[AccountState::Connecting, AccountState::Syncing],
            to: AccountState::Connected,
            cause: None,
            who_can_act: WhoCanAct::Nobody,
        };
        accounts::change_state(&tx, &metadata, change).await?;
        tx.commit().await?;
        self.account = accounts::find(self.fetcher.store.read(), self.account.id).await?;
        Ok(())
    }
}

fn plan_of(sizes: &[MessageSize], sync: &MailboxSync<'_>) -> Vec<UidSet> {
    plan(sizes, &sync.fetcher.settings)
}
