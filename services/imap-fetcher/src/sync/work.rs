//! What others asked for by work rows.

use std::time::Duration;

use postroom_store::{
    events, folders,
    work::{self, DueWork, WorkKind},
};
use postroom_telemetry::set_parent_from;
use tracing::Instrument as _;

use super::{MailboxSync, sent_copy::Looked, visit::Depth};
use crate::step_error::StepError;

/// Rows in one round: what came in the meantime is not kept waiting.
const AT_ONCE: u64 = 20;
/// How long work waits after the server refused it.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);

impl MailboxSync<'_> {
    /// Does the work that is due.
    pub(super) async fn do_work(&mut self) -> Result<(), StepError> {
        let store = &self.fetcher.store;
        let due = work::due(store.read(), self.account.id, store.clock().now(), AT_ONCE).await?;
        let causes: Vec<_> = due.iter().filter_map(|work| work.cause_event_id).collect();
        let traces = events::traceparents(store.read(), &causes).await?;
        for work in due {
            // The trace of whoever asked goes on here, down to the commands on the server.
            let span = tracing::info_span!(parent: None, "imap.work", work.id = %work.id);
            if let Some(trace) = work.cause_event_id.and_then(|cause| traces.get(&cause)) {
                set_parent_from(&span, trace);
            }
            match self.do_one(&work).instrument(span).await {
                Ok(()) => {}
                Err(error) if error.leaves_session_usable() => {
                    tracing::warn!(%error, work.id = %work.id, "The server refused a piece of work; it is tried again");
                    self.put_off(&work, AFTER_REFUSAL).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn do_one(&mut self, work: &DueWork) -> Result<(), StepError> {
        match work.kind {
            WorkKind::Sync { folder_id: None } => {
                self.list_folders().await?;
                self.due.compare = self.now();
                self.scan().await?;
            }
            WorkKind::Sync {
                folder_id: Some(folder_id),
            } => {
                let known = folders::find(self.fetcher.store.read(), folder_id).await.is_ok()
                    && self.folders.is_synced(folder_id);
                if known {
                    self.visit(folder_id, Depth::Everything).await?;
                }
            }
            WorkKind::SentCopy { submission_id } => {
                return match self.look_for_sent_copy(work, submission_id).await? {
                    Looked::Settled => Ok(()),
                    Looked::Later(wait) => self.put_off(work, wait).await,
                };
            }
        }
        let tx = self.fetcher.guarded(&self.lease, "imap.work_done").await?;
        work::done(&tx, work.id).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn put_off(&mut self, work: &DueWork, wait: Duration) -> Result<(), StepError> {
        let tx = self.fetcher.guarded(&self.lease, "imap.work_put_off").await?;
        work::retry_at(&tx, work.id, self.fetcher.store.clock().now() + wait).await?;
        tx.commit().await?;
        Ok(())
    }
}
