//! The other folders: asked without being opened, opened where something changed.

use postroom_events::FolderId;
use postroom_mail::imap::FolderStatus;
use postroom_store::Folder;

use super::{MailboxSync, visit::Depth};
use crate::step_error::StepError;

impl MailboxSync<'_> {
    /// Asks every folder whether something changed, and looks at those where it did; at all of them, closely, where
    /// that is due.
    #[tracing::instrument(name = "imap.scan", skip_all)]
    pub(super) async fn scan(&mut self) -> Result<(), StepError> {
        let settings = self.fetcher.settings;
        let began = self.now();
        let closely = began >= self.due.compare;
        // Before the looks: one of them may ask for another scan soon.
        self.due.scan = began + settings.scan_every;
        let folders: Vec<FolderId> = self.folders.synced().iter().map(|folder| folder.row.id).collect();
        for id in folders {
            self.look_at(id, closely).await?;
        }
        self.scanned = Some(began);
        if closely {
            self.due.compare = self.now() + settings.compare_every;
        }
        Ok(())
    }

    async fn look_at(&mut self, id: FolderId, closely: bool) -> Result<(), StepError> {
        if closely {
            return self.visit(id, Depth::Everything).await;
        }
        if self.open == Some(id) || self.has_changed(id).await? {
            return self.visit(id, Depth::Changes).await;
        }
        Ok(())
    }

    /// Whether a folder that is not open is another than its row says.
    pub(super) async fn has_changed(&mut self, id: FolderId) -> Result<bool, StepError> {
        let folder = self.folders.get(id)?;
        let (name, unusable) = (folder.name.clone(), folder.unusable);
        if unusable {
            return Ok(false);
        }
        match self.session.status(&name).await {
            Ok(status) => Ok(differs(&self.folders.get(id)?.row, &status)),
            Err(error) if error.leaves_session_usable() && !name.is_inbox() => {
                tracing::info!(folder.id = %id, %error, "A folder does not answer");
                self.give_up(id)?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn differs(row: &Folder, status: &FolderStatus) -> bool {
    let uid_validity = status.uid_validity.map(|validity| i64::from(validity.0));
    let uid_next = status.uid_next.map(|uid| i64::from(uid.get()));
    let messages = status.messages.map(i64::from);
    let modseq = status.highest_mod_seq.map(|number| number.0.cast_signed());
    uid_validity != row.uid_validity
        || uid_next.is_none_or(|next| Some(next) > row.uid_next)
        || messages.is_some_and(|messages| messages != row.messages_on_server)
        || (modseq.is_some() && modseq != row.highest_modseq)
}
