//! Waiting in INBOX for something to happen: on the server (IDLE), in the rows (a wake-up), or on the clock.

use std::time::{Duration, Instant};

use postroom_providers::Provider;
use tokio::sync::Notify;

use super::{MailboxSync, visit::Depth};
use crate::step_error::StepError;

/// RFC 2177: less than 29 minutes; 25 leave room for a slow answer.
const IDLE_RENEW: Duration = Duration::from_secs(25 * 60);

impl MailboxSync<'_> {
    /// Waits until there is something to do.
    #[tracing::instrument(name = "imap.wait", skip_all)]
    pub(super) async fn wait(&mut self, wake: &Notify) -> Result<(), StepError> {
        let wait = self.wait_at_most();
        let Some(inbox) = self.folders.inbox().filter(|_| self.session.can_idle()) else {
            let _woken =
                tokio::time::timeout(wait.min(self.fetcher.settings.poll_every), wake.notified()).await;
            self.session.noop().await?;
            return Ok(());
        };
        if self.open != Some(inbox) {
            // What came since INBOX was last looked at is found as it is opened.
            self.visit(inbox, Depth::Changes).await?;
        }
        self.session.idle(wait, wake.notified()).await?;
        self.listened = true;
        Ok(())
    }

    fn wait_at_most(&self) -> Duration {
        let now = self.now();
        let until = |at: Instant| at.saturating_duration_since(now);
        let renew = self.provider.map_or(IDLE_RENEW, Provider::idle_renew);
        // Spread, so that a thousand accounts that began together do not go on together.
        let share = f64::from(self.account.id.0.as_u64_pair().1 as u16) / f64::from(u16::MAX);
        let renew = renew.mul_f64(0.9 + 0.1 * share);
        [
            Some(until(self.due.scan)),
            Some(until(self.due.list)),
            self.vanished_due().map(until),
            Some(renew),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(renew)
    }
}
