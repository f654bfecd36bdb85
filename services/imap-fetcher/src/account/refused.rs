//! A refused sign-in: with a token, it may only be old, and another one is fetched; with a password, the person must act.

use std::time::{Duration, Instant};

use postroom_events::{
    AccountState, EventMetadata, GrantId, ReauthorizationRequired, TokenRejected, WhoCanAct,
};
use postroom_store::{
    Account,
    accounts::{self, StateChange},
    events,
    leases::Lease,
};

use super::sign_in::TokenUsed;
use crate::{Fetcher, fetcher::SERVICE, step_error::StepError};

/// How often there is a look for the next token; whoever waits is also woken.
pub(super) const LOOK_FOR_TOKEN_EVERY: Duration = Duration::from_secs(5);
/// A refused token is tried again after this time, in case that the server was wrong and nobody fetches another.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// So many fresh tokens in a row are refused: it is not the token.
const ENOUGH_TOKENS: u32 = 3;

/// What was refused since the last whole sync.
#[derive(Debug, Default)]
pub(super) struct Refused {
    last: Option<(TokenUsed, Instant)>,
    grant: Option<GrantId>,
    /// Different tokens of this grant that were refused in a row.
    tokens: u32,
}

impl Refused {
    /// Whether this very token was refused a short while ago.
    pub(super) fn is_old_news(&self, token: TokenUsed, now: Instant) -> bool {
        self.last
            .is_some_and(|(last, at)| last == token && now.duration_since(at) < TRY_AGAIN_AFTER)
    }

    /// How long there has been no other token than the one that was refused.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        self.last
            .map_or(Duration::ZERO, |(_, refused_at)| now.duration_since(refused_at))
    }

    fn note(&mut self, token: TokenUsed, now: Instant) {
        if self.grant != Some(token.grant_id) {
            self.tokens = 0;
            self.grant = Some(token.grant_id);
        }
        if self.last.is_none_or(|(last, _)| last != token) {
            self.tokens += 1;
        }
        self.last = Some((token, now));
    }
}

/// Tells whom it concerns. Gives what was told, for the log.
pub(super) async fn tell(
    fetcher: &Fetcher,
    lease: &Lease,
    account: &Account,
    refused: &mut Refused,
    token: Option<TokenUsed>,
) -> Result<&'static str, StepError> {
    let Some(token) = token else {
        require_person(fetcher, lease, account, None, "password_refused").await?;
        return Ok("password_refused");
    };
    refused.note(token, fetcher.store.clock().monotonic());
    if refused.tokens >= ENOUGH_TOKENS {
        require_person(fetcher, lease, account, Some(token), "token_refused").await?;
        return Ok("token_refused");
    }
    let tx = fetcher.guarded(lease, "imap.token_rejected").await?;
    let event = TokenRejected {
        grant_id: token.grant_id,
        token_version: token.version,
        account_id: account.id,
    };
    let metadata = EventMetadata::started_by(SERVICE, account.tenant_id);
    events::append(&tx, &metadata, vec![event.into()]).await?;
    tx.commit().await?;
    Ok("token_rejected")
}

/// The state is changed only if the account still has the credential that was refused.
async fn require_person(
    fetcher: &Fetcher,
    lease: &Lease,
    account: &Account,
    token: Option<TokenUsed>,
    cause: &'static str,
) -> Result<(), StepError> {
    let tx = fetcher.guarded(lease, "imap.require_person").await?;
    let metadata = EventMetadata::started_by(SERVICE, account.tenant_id);
    let change = StateChange {
        account_id: account.id,
        credential_generation: Some(account.credential_generation),
        from: &[
            AccountState::Connecting,
            AccountState::Syncing,
            AccountState::Connected,
            AccountState::Unreachable,
        ],
        to: AccountState::NeedsReauthorization,
        cause: Some(cause),
        who_can_act: WhoCanAct::User,
    };
    if accounts::change_state(&tx, &metadata, change).await? {
        let event = ReauthorizationRequired {
            account_id: account.id,
            credential_generation: account.credential_generation,
            token_version: token.map(|token| token.version),
            cause: cause.into(),
            who_can_act: WhoCanAct::User,
        };
        events::append(&tx, &metadata, vec![event.into()]).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_not_tried_again_at_once_and_a_new_one_is() {
        let grant_id = GrantId::generate();
        let token = |version| TokenUsed { grant_id, version };
        let now = Instant::now();
        let mut refused = Refused::default();
        assert!(!refused.is_old_news(token(1), now));
        refused.note(token(1), now);
        assert!(refused.is_old_news(token(1), now + Duration::from_secs(10)));
        assert!(!refused.is_old_news(token(2), now));
        assert!(!refused.is_old_news(token(1), now + TRY_AGAIN_AFTER));
        refused.note(token(1), now);
        assert_eq!(refused.tokens, 1, "the same one again is no further token");
        refused.note(token(2), now);
        refused.note(token(3), now);
        assert_eq!(refused.tokens, ENOUGH_TOKENS);
        let other = TokenUsed {
            grant_id: GrantId::generate(),
            version: 1,
        };
        refused.note(other, now);
        assert_eq!(refused.tokens, 1, "another grant begins anew");
    }
}
