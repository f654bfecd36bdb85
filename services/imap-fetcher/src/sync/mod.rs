//! One session with an account's server, from signing in to its end.
//!
//! One connection does everything, one step after the other: new mail in INBOX goes before all else, then what others
//! asked for, then the other folders, then a bounded piece of the first sync; when there is nothing left to do, it
//! waits in INBOX. Each step commits what it found together with how far it has come.

mod backfill;
mod commit;
mod flags;
mod folders;
mod intake;
mod large;
mod new_mail;
mod open;
mod prepare;
mod reset;
mod scan;
mod sent_copy;
mod state;
mod vanished;
mod visit;
mod wait;
mod work;

use std::time::Instant;

use postroom_events::{AccountState, EventMetadata, FolderId};
use postroom_mail::imap::ImapSession;
use postroom_providers::{Provider, Quirk};
use postroom_store::{Account, StoreError, accounts, grants, leases::Lease};
use postroom_telemetry::names;
use tokio::sync::Notify;

use self::{backfill::Plan, folders::Folders, vanished::Vanished};
use crate::{
    Fetcher,
    account::{TokenUsed, is_needed},
    fetcher::SERVICE,
    step_error::StepError,
};

/// How a session ended that nobody lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// Sign in anew, with the credential as it is now.
    Reconnect,
    /// The account needs nobody any more.
    NotNeeded,
}

/// A signed-in session and what it knows.
pub(crate) struct MailboxSync<'f> {
    fetcher: &'f Fetcher,
    lease: Lease,
    account: Account,
    token: Option<TokenUsed>,
    provider: Option<&'f Provider>,
    session: ImapSession,
    folders: Folders,
    /// The folder that is open.
    open: Option<FolderId>,
    /// Messages that left a folder and may yet appear in another one.
    vanished: Vec<Vanished>,
    plan: Option<Plan>,
    due: Due,
    /// When the last look at all folders began.
    scanned: Option<Instant>,
    /// The server has had its say: IDLE has ended just now.
    listened: bool,
    whole: bool,
    _counted: Counted,
}

/// What is to be done next, and when.
#[derive(Debug, Clone, Copy)]
struct Due {
    list: Instant,
    scan: Instant,
    compare: Instant,
    /// Nobody needs to know to the second when all was well last.
    note_success: Instant,
}

impl<'f> MailboxSync<'f> {
    pub(crate) fn new(
        fetcher: &'f Fetcher,
        lease: Lease,
        account: Account,
        token: Option<TokenUsed>,
        session: ImapSession,
    ) -> Self {
        let now = fetcher.store.clock().monotonic();
        Self {
            provider: fetcher.providers.by_id(&account.provider_id),
            fetcher,
            lease,
            account,
            token,
            session,
            folders: Folders::default(),
            open: None,
            vanished: Vec::new(),
            plan: None,
            due: Due {
                list: now,
                scan: now,
                compare: now + fetcher.settings.compare_every,
                note_success: now,
            },
            scanned: None,
            listened: false,
            whole: false,
            _counted: Counted::new(),
        }
    }

    /// Whether it came to a whole sync: every folder was looked at once.
    pub(crate) fn was_whole(&self) -> bool {
        self.whole
    }

    /// Keeps the account in sync until the session or the need for it ends.
    pub(crate) async fn serve(&mut self, wake: &Notify) -> Result<Served, StepError> {
        loop {
            if let Some(served) = self.heed_rows().await? {
                return Ok(served);
            }
            self.heed_choices().await?;
            Box::pin(self.look_after()).await?;
            if Box::pin(self.backfill()).await? {
                continue;
            }
            self.note_success().await?;
            Box::pin(self.wait(wake)).await?;
        }
    }

    /// One round: whatever is due, what matters most first.
    async fn look_after(&mut self) -> Result<(), StepError> {
        if self.now() >= self.due.list {
            self.list_folders().await?;
        }
        self.look_at_inbox().await?;
        self.do_work().await?;
        if self.now() >= self.due.scan {
            self.scan().await?;
        }
        self.settle_vanished().await
    }

    /// What others have changed in the rows: pause, disconnection, another credential, another token.
    async fn heed_rows(&mut self) -> Result<Option<Served>, StepError> {
        let account = match accounts::find(self.fetcher.store.read(), self.account.id).await {
            Ok(account) => account,
            Err(StoreError::NotFound { .. }) => return Ok(Some(Served::NotNeeded)),
            Err(error) => return Err(error.into()),
        };
        if !is_needed(&account) {
            return Ok(Some(Served::NotNeeded));
        }
        let other_way_in = account.credential_generation != self.account.credential_generation
            || account.state == AccountState::NeedsReauthorization;
        self.account = account;
        if other_way_in || self.token_is_outdated().await? {
            return Ok(Some(Served::Reconnect));
        }
        Ok(None)
    }

    /// Whether the session is about to end with its access token, and there is a newer one.
    async fn token_is_outdated(&mut self) -> Result<bool, StepError> {
        let ends_with_token = self
            .provider
            .is_some_and(|provider| provider.has(Quirk::SessionEndsWithToken));
        let Some(token) = self.token.filter(|_| ends_with_token) else {
            return Ok(false);
        };
        let grant = grants::find(self.fetcher.store.read(), self.account.tenant_id, token.grant_id).await?;
        Ok(grant.token_version != token.version)
    }

    fn now(&self) -> Instant {
        self.fetcher.store.clock().monotonic()
    }

    fn metadata(&self) -> EventMetadata {
        EventMetadata {
            traceparent: postroom_telemetry::current_traceparent(),
            ..EventMetadata::started_by(SERVICE, self.account.tenant_id)
        }
    }
}

/// Counts an open session for as long as it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!(names::IMAP_SESSIONS).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(names::IMAP_SESSIONS).decrement(1.0);
    }
}
