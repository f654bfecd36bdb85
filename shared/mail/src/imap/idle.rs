//! Waiting for something to happen (RFC 2177).

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::error::{ImapError, ImapErrorKind};
use super::session::ImapSession;
use super::wire::{Event, Tag};

/// Longer than any wait that is asked for.
const NO_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why an IDLE ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleOutcome {
    /// Something changed: see [`ImapSession::take_notices`].
    Changed,
    /// Nothing happened within the time given.
    TimedOut,
    /// The caller wanted it to end.
    Stopped,
}

impl ImapSession {
    /// Whether the server offers IDLE.
    pub fn can_idle(&self) -> bool {
        self.offered.has("IDLE")
    }

    /// Waits until something changes in the selected folder, `max` is over or `stop` is ready. Returns at once when
    /// there are notices that nobody has taken: take them before you look at the folder, and no change slips between
    /// two waits. `max` must stay below 29 minutes, after which servers hang up; its end also finds a connection that
    /// died without a word.
    ///
    /// While it waits, the session holds no buffer beyond a few kilobytes.
    ///
    /// # Errors
    /// When IDLE is not offered, the server refuses, or the connection is lost.
    pub async fn idle(
        &mut self,
        max: Duration,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<IdleOutcome, ImapError> {
        self.need("IDLE")?;
        if !self.wire.watch.notices.is_empty() {
            return Ok(IdleOutcome::Changed);
        }
        let until = Instant::now() + max;
        let tag = self.wire.send("IDLE", "", 0).await?;
        self.wait_for_leave(&tag).await?;
        let outcome = self.wait_for_change(until, stop).await?;
        self.wire.write("IDLE", b"DONE\r\n").await?;
        self.wire
            .finish(&tag, self.wire.limits.response_time, |_| false)
            .await?;
        // Something may have come between our decision and the server's end.
        let changed = outcome != IdleOutcome::Stopped && !self.wire.watch.notices.is_empty();
        Ok(if changed { IdleOutcome::Changed } else { outcome })
    }

    async fn wait_for_leave(&mut self, tag: &Tag) -> Result<(), ImapError> {
        loop {
            match self
                .wire
                .receive("IDLE", self.wire.limits.response_time, |_| false)
                .await?
                .0
            {
                Event::Untagged => {}
                Event::Continue(_) => return Ok(()),
                Event::Done(text, ending) => {
                    self.wire.completed(tag, &text, ending)?;
                    return Err(self.wire.broken(ImapErrorKind::Protocol {
                        what: "IDLE ended before it began".into(),
                    }));
                }
            }
        }
    }

    async fn wait_for_change(
        &mut self,
        until: Instant,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<IdleOutcome, ImapError> {
        tokio::pin!(stop);
        let over = sleep_until(until);
        tokio::pin!(over);
        while self.wire.watch.notices.is_empty() {
            tokio::select! {
                biased;
                () = &mut stop => return Ok(IdleOutcome::Stopped),
                received = self.wire.receive("IDLE", NO_LIMIT, |_| false) => match received?.0 {
                    // `* OK Still here` and the like are no change.
                    Event::Untagged | Event::Continue(_) => {}
                    Event::Done(..) => {
                        let what = "the server ended IDLE by itself".into();
                        return Err(self.wire.broken(ImapErrorKind::Protocol { what }));
                    }
                },
                () = &mut over => return Ok(IdleOutcome::TimedOut),
            }
        }
        Ok(IdleOutcome::Changed)
    }
}
