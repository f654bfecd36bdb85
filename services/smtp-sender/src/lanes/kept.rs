//! Connections that are kept open between mails.

use std::time::Instant;

use chrono::{DateTime, Utc};
use postroom_mail::{net::Endpoint, smtp::SmtpSession};

use crate::SenderSettings;

/// As whom a connection is signed in, and where: one that was opened for another credential is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedInAs {
    pub(crate) endpoint: Endpoint,
    pub(crate) login: String,
    pub(crate) credential_generation: i64,
}

/// A signed-in connection.
#[derive(Debug)]
pub(crate) struct KeptSession {
    pub(crate) smtp: SmtpSession,
    pub(crate) as_whom: SignedInAs,
    /// When the token ends that it was opened with.
    pub(crate) token_ends_at: Option<DateTime<Utc>>,
    /// Mails that it has carried.
    pub(crate) mails: u32,
    pub(crate) opened: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Kept(Vec<Left>);

#[derive(Debug)]
struct Left {
    session: KeptSession,
    since: Instant,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn put(&mut self, now: Instant, mut session: KeptSession) {
        if session.smtp.is_usable() {
            self.0.push(Left { session, since: now });
        }
    }

    /// The one that was used last and fits; servers close the others first.
    pub(super) fn take(
        &mut self,
        now: Instant,
        as_whom: &SignedInAs,
        settings: &SenderSettings,
    ) -> Option<KeptSession> {
        let fits = |left: &mut Left| {
            left.session.as_whom == *as_whom
                && !is_stale(left, now, settings)
                && left.session.smtp.is_usable()
        };
        let at = (0..self.0.len()).rev().find(|at| fits(&mut self.0[*at]))?;
        Some(self.0.remove(at).session)
    }

    pub(super) fn take_stale(&mut self, now: Instant, settings: &SenderSettings) -> Vec<SmtpSession> {
        let stale = self.0.extract_if(.., |left| {
            is_stale(left, now, settings) || !left.session.smtp.is_usable()
        });
        stale.map(|left| left.session.smtp).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<SmtpSession> {
        self.0.drain(..).map(|left| left.session.smtp).collect()
    }
}

fn is_stale(left: &Left, now: Instant, settings: &SenderSettings) -> bool {
    now.duration_since(left.since) > settings.idle
        || now.duration_since(left.session.opened) > settings.connection_age
        || left.session.mails >= settings.mails_per_connection
}
