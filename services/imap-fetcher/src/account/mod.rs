//! The life of one held account: sign in, sync, and what becomes of it when that fails.

mod reachability;
mod refused;
mod sign_in;

use std::time::Duration;

use postroom_events::{AccountState, WhoCanAct};
use postroom_mail::imap::ImapErrorKind;
use postroom_retry::{Jitter, RetryPolicy, policies};
use postroom_store::{Account, StoreError, accounts, leases::Lease};
use tokio::sync::Notify;

use self::sign_in::{Entry, NotIn};
use crate::{
    Fetcher,
    step_error::StepError,
    sync::{MailboxSync, Served},
};

pub(crate) use self::{reachability::recovered, sign_in::TokenUsed};

/// How long an account that waits for a person sleeps between two looks at its row; it is woken when that changes.
const LONG_WAIT: Duration = Duration::from_secs(600);

/// How long a new token may take before people see that no mail flows.
const TOKEN_PATIENCE: Duration = Duration::from_secs(10);
/// The cause that they see then.
const TOKEN_NOT_RENEWED: &str = "token_not_renewed";

/// Why the account is not looked after any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It needs nobody: paused, disconnected, gone.
    NotNeeded,
    /// Somebody else holds it.
    LeaseLost,
}

/// What happens next.
enum Next {
    /// At once: nobody has failed.
    Again,
    /// After a while by this policy, and not sooner than the server asked; or when it is woken.
    Later(RetryPolicy, Option<Duration>),
    /// When it is woken: a person, or another service, has to do something first.
    WhenWoken,
    /// Never.
    End(Ended),
}

/// Looks after an account until it is not needed or the lease is lost.
pub(crate) async fn live(fetcher: &Fetcher, lease: Lease, wake: &Notify) -> Ended {
    let mut life = Life {
        fetcher,
        lease,
        failures: 0,
        refused: refused::Refused::default(),
    };
    loop {
        let next = match Box::pin(life.once(wake)).await {
            Ok(next) => next,
            Err(StepError::LeaseLost) => Next::End(Ended::LeaseLost),
            Err(error) => life.failed(&error),
        };
        match next {
            Next::Again => {}
            Next::End(ended) => return ended,
            Next::WhenWoken => woken_or(wake, LONG_WAIT).await,
            Next::Later(policy, asked) => woken_or(wake, life.delay(&policy, asked)).await,
        }
    }
}

async fn woken_or(wake: &Notify, wait: Duration) {
    let _woken = tokio::time::timeout(wait, wake.notified()).await;
}

struct Life<'f> {
    fetcher: &'f Fetcher,
    lease: Lease,
    /// Attempts in a row that did not come to a whole sync.
    failures: u32,
    refused: refused::Refused,
}

impl Life<'_> {
    /// One session, from signing in to its end.
    async fn once(&mut self, wake: &Notify) -> Result<Next, StepError> {
        let account = match self.account().await? {
            Some(account) => account,
            None => return Ok(Next::End(Ended::NotNeeded)),
        };
        if matches!(
            account.state,
            AccountState::NeedsReauthorization | AccountState::AwaitingAdmin
        ) {
            return Ok(Next::WhenWoken);
        }
        let Entry { session, token } = match sign_in::enter(self.fetcher, &account, &self.refused).await? {
            Ok(entry) => entry,
            Err(not_in) => return self.not_in(&account, not_in).await,
        };
        let mut sync = MailboxSync::new(self.fetcher, self.lease, account, token, session);
        let served = Box::pin(sync.serve(wake)).await;
        if sync.was_whole() {
            // Only a whole sync says that the server is well: one that lets us in and drops us is not stormed.
            self.failures = 0;
            self.refused = refused::Refused::default();
        }
        match served {
            Ok(Served::Reconnect) => Ok(Next::Again),
            Ok(Served::NotNeeded) => Ok(Next::End(Ended::NotNeeded)),
            Err(StepError::Imap(error)) => match self.account().await? {
                Some(account) => self.not_in(&account, NotIn::Failed(error)).await,
                None => Ok(Next::End(Ended::NotNeeded)),
            },
            Err(error) => Err(error),
        }
    }

    /// The account as it is now, if it needs a holder.
    async fn account(&self) -> Result<Option<Account>, StepError> {
        match accounts::find(self.fetcher.store.read(), self.lease.account_id).await {
            Ok(account) => Ok(Some(account).filter(is_needed)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What a failure to get in, or to stay in, leads to.
    async fn not_in(&mut self, account: &Account, not_in: NotIn) -> Result<Next, StepError> {
        match not_in {
            NotIn::NothingToSignInWith { cause } => {
                tracing::info!(
                    cause,
                    "There is nothing to sign in with; this ends when that changes"
                );
                Ok(Next::WhenWoken)
            }
            NotIn::WaitsForToken => {
                self.tell_of_missing_token(account).await?;
                Ok(Next::Later(
                    policies::RECONNECT,
                    Some(refused::LOOK_FOR_TOKEN_EVERY),
                ))
            }
            NotIn::Refused { error, token } => {
                self.failures = self.failures.saturating_add(1);
                let told =
                    refused::tell(self.fetcher, &self.lease, account, &mut self.refused, token).await?;
                tracing::warn!(cause = error.code(), told, "The server refused the sign-in");
                Ok(match token {
                    Some(_) => Next::Later(policies::RECONNECT, Some(refused::LOOK_FOR_TOKEN_EVERY)),
                    None => Next::WhenWoken,
                })
            }
            NotIn::Failed(error) => {
                self.failures = self.failures.saturating_add(1);
                tracing::info!(%error, failures = self.failures, "The mailbox cannot be reached for now");
                // One failure in between is the life of a connection, and nothing that people need to see.
                if self.failures > 1 || !error.is_temporary() {
                    let who = reachability::who_can_act(&error);
                    reachability::lost(self.fetcher, &self.lease, account, error.code(), who).await?;
                }
                let policy = match error.kind {
                    ImapErrorKind::MailboxUnavailable { .. } => policies::MAILBOX_REFUSED,
                    _ => policies::RECONNECT,
                };
                Ok(Next::Later(policy, error.retry_after()))
            }
        }
    }

    /// A refresh takes a moment. If it takes longer, no mail flows, and people see why; it ends by itself.
    async fn tell_of_missing_token(&self, account: &Account) -> Result<(), StepError> {
        let waited = self.refused.waited(self.fetcher.store.clock().monotonic());
        let told = account.state_cause.as_deref() == Some(TOKEN_NOT_RENEWED);
        if told || waited < TOKEN_PATIENCE {
            return Ok(());
        }
        tracing::info!("There is no new token yet; the mailbox cannot be reached until it comes");
        let who = WhoCanAct::Nobody;
        reachability::lost(self.fetcher, &self.lease, account, TOKEN_NOT_RENEWED, who).await
    }

    /// The database or this process failed, not the account.
    fn failed(&mut self, error: &StepError) -> Next {
        tracing::warn!(%error, "A step of the sync failed; trying again");
        self.failures = self.failures.saturating_add(1);
        Next::Later(policies::INFRASTRUCTURE, None)
    }

    fn delay(&self, policy: &RetryPolicy, asked: Option<Duration>) -> Duration {
        let jitter = Jitter::of(self.lease.account_id.0.as_u64_pair().1 ^ u64::from(self.failures));
        let own = policy
            .next_delay(self.failures.max(1), jitter)
            .unwrap_or(LONG_WAIT);
        own.max(asked.unwrap_or_default().min(policy.max_retry_after))
    }
}

/// Whether anybody needs to look after the account.
pub(crate) fn is_needed(account: &Account) -> bool {
    account.disconnected_at.is_none() && !account.paused && account.credential_id.is_some()
}
