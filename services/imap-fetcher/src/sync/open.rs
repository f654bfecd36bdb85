//! Opening a folder, and what is to be known before a UID means anything.

use postroom_events::FolderId;
use postroom_mail::imap::Selected;
use postroom_store::folders::{self, CursorUpdate};

use super::MailboxSync;
use crate::step_error::StepError;

/// How a folder came to be open.
#[derive(Debug, Clone, Copy)]
pub(super) enum Opening {
    /// It was opened just now.
    Fresh(Selected),
    /// It was open.
    Already,
    /// It cannot be used for now.
    Unusable,
}

impl MailboxSync<'_> {
    /// Opens a folder, unless it is open. When this returns, its UIDs mean what its row says.
    #[tracing::instrument(name = "imap.select", skip_all, fields(folder.id = %id))]
    pub(super) async fn open(&mut self, id: FolderId) -> Result<Opening, StepError> {
        if self.open == Some(id) {
            return Ok(Opening::Already);
        }
        self.open = None;
        let folder = self.folders.get(id)?;
        if folder.unusable {
            return Ok(Opening::Unusable);
        }
        let name = folder.name.clone();
        let selected = match self.session.examine(&name).await {
            Ok(selected) => selected,
            Err(error) if error.leaves_session_usable() && !name.is_inbox() => {
                tracing::info!(folder.id = %id, %error, "A folder cannot be opened");
                self.give_up(id)?;
                return Ok(Opening::Unusable);
            }
            Err(error) => return Err(error.into()),
        };
        if selected.uid_validity.0 == 0 {
            tracing::warn!(folder.id = %id, "The server gives no UIDVALIDITY; the folder cannot be synced");
            self.give_up(id)?;
            return Ok(Opening::Unusable);
        }
        match self.folders.get(id)?.row.uid_validity {
            Some(known) if known == i64::from(selected.uid_validity.0) => {}
            Some(_) => {
                if !self.reset(id, &selected).await? {
                    return Ok(Opening::Unusable);
                }
            }
            None => self.begin(id, &selected).await?,
        }
        self.open = Some(id);
        Ok(Opening::Fresh(selected))
    }

    /// Leaves a folder alone until folders are listed again, soon.
    pub(super) fn give_up(&mut self, id: FolderId) -> Result<(), StepError> {
        self.folders.get_mut(id)?.unusable = true;
        self.due.list = self.due.list.min(self.now() + self.fetcher.settings.scan_every);
        Ok(())
    }

    /// The first time: whatever comes from now on is new mail, and what is there is fetched by the first sync.
    async fn begin(&mut self, id: FolderId, selected: &Selected) -> Result<(), StepError> {
        let uid_next = self.uid_next_of(selected).await?;
        let tx = self.fetcher.guarded(&self.lease, "imap.begin_folder").await?;
        let row = &self.folders.get(id)?.row;
        folders::begin_cursor(
            &tx,
            row,
            selected.uid_validity.0.into(),
            uid_next,
            selected.exists.into(),
        )
        .await?;
        folders::advance(&tx, id, first_cursor(self, selected)).await?;
        tx.commit().await?;
        self.reload(id).await
    }

    /// The UID that the next message will have at least. Some servers do not say: one above the last then.
    pub(super) async fn uid_next_of(&mut self, selected: &Selected) -> Result<i64, StepError> {
        if let Some(uid) = selected.uid_next {
            return Ok(uid.get().into());
        }
        let last = self.session.all_uids().await?.last().map_or(0, |uid| uid.get());
        Ok(i64::from(last) + 1)
    }
}

/// Changes from here on are looked at; an empty folder needs no first sync.
pub(super) fn first_cursor(sync: &MailboxSync<'_>, selected: &Selected) -> CursorUpdate {
    let now = sync.fetcher.store.clock().now();
    CursorUpdate {
        highest_modseq: Some(selected.highest_mod_seq.map(|number| number.0.cast_signed())),
        backfill_completed_at: (selected.exists == 0).then_some(now),
        ..CursorUpdate::default()
    }
}
