//! The server gave a folder another UIDVALIDITY: no UID means what it meant. The messages stay, and are linked again
//! by their identity as the folder is read anew; nothing of that is announced as new mail.

use postroom_events::{FolderId, FolderReset};
use postroom_mail::imap::Selected;
use postroom_store::{events, folders, locations};

use super::{MailboxSync, open::first_cursor};
use crate::step_error::StepError;

/// A folder whose UIDVALIDITY changes more often in one session is left alone.
const MAX_RESETS: u32 = 5;

impl MailboxSync<'_> {
    /// Begins the folder anew. Gives whether it can be used.
    pub(super) async fn reset(&mut self, id: FolderId, selected: &Selected) -> Result<bool, StepError> {
        let folder = self.folders.get_mut(id)?;
        folder.resets += 1;
        if folder.resets > MAX_RESETS {
            tracing::warn!(folder.id = %id, "The server changes UIDVALIDITY all the time; the folder is left alone");
            self.give_up(id)?;
            return Ok(false);
        }
        let uid_next = self.uid_next_of(selected).await?;
        let uid_validity = i64::from(selected.uid_validity.0);
        let tx = self.fetcher.guarded(&self.lease, "imap.reset_folder").await?;
        let row = self.folders.get(id)?.row.clone();
        let dropped = locations::drop_outdated(&tx, id, uid_validity).await?;
        folders::begin_cursor(&tx, &row, uid_validity, uid_next, selected.exists.into()).await?;
        folders::advance(&tx, id, first_cursor(self, selected)).await?;
        let event = FolderReset {
            account_id: self.account.id,
            folder_id: id,
            uid_validity_before: row.uid_validity,
            uid_validity,
        };
        events::append(&tx, &self.metadata(), vec![event.into()]).await?;
        tx.commit().await?;
        tracing::info!(folder.id = %id, dropped, "A folder has a new UIDVALIDITY and is read anew");
        self.vanished.retain(|vanished| vanished.folder_id != id);
        self.folders.get_mut(id)?.refused.clear();
        if self.plan.as_ref().is_some_and(|plan| plan.folder_id == id) {
            self.plan = None;
        }
        self.reload(id).await?;
        if selected.exists == 0 {
            self.forget_unlinked(id).await?;
        }
        Ok(true)
    }
}
