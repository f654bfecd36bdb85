//! The copy of a sent mail in Sent: looked for by its Message-ID, put there where the server does not do it. For a mail
//! whose outcome is not known, being there says that it was sent.

use std::time::Duration;

use postroom_events::{EventMetadata, SubmissionId};
use postroom_mail::imap::{Flag, FolderName};
use postroom_providers::SentCopy;
use postroom_store::{
    StoreError, Submission,
    folders::FolderRole,
    sent_copies::{self, SentCopyState},
    submissions,
    work::{self, DueWork},
};

use super::MailboxSync;
use crate::step_error::StepError;

/// How long to wait for the server's own copy before each further look.
const LOOK_AGAIN: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_secs(60),
];

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// The work is done.
    Settled,
    /// Look again after this time.
    Later(Duration),
}

/// What to do when the copy is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Wait(Duration),
    Append,
    GiveUp,
}

impl MailboxSync<'_> {
    /// Looks for a submission's mail in Sent, and puts it there if it was sent and is missing.
    pub(super) async fn look_for_sent_copy(
        &mut self,
        work: &DueWork,
        id: SubmissionId,
    ) -> Result<Looked, StepError> {
        let submission = match submissions::find(self.fetcher.store.read(), id).await {
            Ok(submission) if submission.account_id == self.account.id => submission,
            Ok(_) | Err(StoreError::NotFound { .. }) => return self.settle(work, id, None).await,
            Err(error) => return Err(error.into()),
        };
        let Some(sent) = self.sent_folder()? else {
            tracing::info!(submission.id = %id, "The account has no Sent folder; no copy is kept");
            return self.settle(work, id, Some(SentCopyState::Missing)).await;
        };
        if self.is_in(&sent, &submission).await? {
            return self.settle(work, id, Some(SentCopyState::Present)).await;
        }
        let saved_by_server = self
            .provider
            .map_or(SentCopy::Unknown, |provider| provider.sent_saved_by_server);
        let was_sent = sent_copies::was_sent(self.fetcher.store.read(), id).await?;
        match if_missing(was_sent, saved_by_server, work.attempt) {
            Missing::Wait(wait) => Ok(Looked::Later(wait)),
            Missing::GiveUp => self.settle(work, id, Some(SentCopyState::Missing)).await,
            Missing::Append => {
                let raw = self.fetcher.packs.read(&submission).await?;
                // The lease is looked at once more before the server is changed.
                drop(self.fetcher.guarded(&self.lease, "imap.before_append").await?);
                let seen = [Flag::Seen].into_iter().collect();
                self.session
                    .append(&sent, &seen, Some(submission.created_at), &raw)
                    .await?;
                self.settle(work, id, Some(SentCopyState::Appended)).await
            }
        }
    }

    fn sent_folder(&self) -> Result<Option<FolderName>, StepError> {
        let Some(id) = self.folders.by_role(FolderRole::Sent) else {
            return Ok(None);
        };
        Ok(Some(self.folders.get(id)?.name.clone()))
    }

    async fn is_in(&mut self, sent: &FolderName, submission: &Submission) -> Result<bool, StepError> {
        // A folder of its own choice: the cursor of another one may not be read with these UIDs.
        self.open = None;
        self.session.examine(sent).await?;
        let message_id = format!("<{}>", submission.message_id_header);
        let found = self.session.search_message_id(&message_id).await?;
        let _its_own_state = self.session.take_notices();
        Ok(!found.is_empty())
    }

    /// Writes down what was found, and that the work is done.
    async fn settle(
        &mut self,
        work: &DueWork,
        id: SubmissionId,
        state: Option<SentCopyState>,
    ) -> Result<Looked, StepError> {
        let tx = self.fetcher.guarded(&self.lease, "imap.sent_copy").await?;
        if let Some(state) = state {
            sent_copies::note(&tx, id, state).await?;
        }
        if state == Some(SentCopyState::Present) {
            let metadata = EventMetadata {
                correlation_id: work.correlation_id,
                causation_id: work.cause_event_id,
                ..self.metadata()
            };
            sent_copies::settle_uncertain(&tx, &metadata, id).await?;
        }
        work::done(&tx, work.id).await?;
        tx.commit().await?;
        Ok(Looked::Settled)
    }
}

/// A mail that was sent to anybody gets its copy from us, unless the server makes it, for which it is given time. One of
/// which nobody knows that never gets one: that would say that it was sent.
fn if_missing(was_sent: bool, saved_by_server: SentCopy, attempt: i32) -> Missing {
    let attempt = usize::try_from(attempt).unwrap_or(0);
    match (was_sent, saved_by_server) {
        (true, SentCopy::No) => Missing::Append,
        (true, SentCopy::Unknown) => match LOOK_AGAIN.get(attempt) {
            Some(wait) if attempt == 0 => Missing::Wait(*wait),
            _ => Missing::Append,
        },
        _ => LOOK_AGAIN
            .get(attempt)
            .map_or(Missing::GiveUp, |wait| Missing::Wait(*wait)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mail_that_was_sent_gets_a_copy_and_never_beside_the_servers_own() {
        assert_eq!(if_missing(true, SentCopy::No, 0), Missing::Append);
        assert!(matches!(if_missing(true, SentCopy::Unknown, 0), Missing::Wait(_)));
        assert_eq!(if_missing(true, SentCopy::Unknown, 1), Missing::Append);
        for attempt in 0..3 {
            assert!(matches!(
                if_missing(true, SentCopy::Yes, attempt),
                Missing::Wait(_)
            ));
            assert!(matches!(
                if_missing(false, SentCopy::No, attempt),
                Missing::Wait(_)
            ));
        }
        assert_eq!(if_missing(true, SentCopy::Yes, 3), Missing::GiveUp);
        assert_eq!(if_missing(false, SentCopy::Unknown, 3), Missing::GiveUp);
    }
}
