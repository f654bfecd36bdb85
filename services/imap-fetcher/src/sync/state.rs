//! All is well: said after a whole sync, and not before.

use postroom_store::accounts;

use super::MailboxSync;
use crate::{account::recovered, step_error::StepError};

/// How often the time of the last success is written.
const NOTE_EVERY: std::time::Duration = std::time::Duration::from_secs(300);

impl MailboxSync<'_> {
    /// Notes that every folder was looked at and nothing failed.
    pub(super) async fn note_success(&mut self) -> Result<(), StepError> {
        self.whole = true;
        let now = self.now();
        if now < self.due.note_success {
            return Ok(());
        }
        let metadata = self.metadata();
        let tx = self.fetcher.guarded(&self.lease, "imap.note_success").await?;
        accounts::mark_success(&tx, &[self.account.id]).await?;
        recovered(&tx, &metadata, &self.account).await?;
        tx.commit().await?;
        self.due.note_success = now + NOTE_EVERY;
        Ok(())
    }
}
