//! Asking the provider for new tokens, in the time that the hold leaves.

use postroom_oauth::{
    IdentityProvider, Mailbox, TokenError, Tokens,
    causes::{GRANT_EXPIRED, PROVIDER_TIMED_OUT, SIGN_IN_AGAIN},
};
use postroom_providers::OldRefreshToken;
use postroom_runtime::HandledEvent;
use postroom_store::{
    Account, Grant, accounts, grants,
    refreshes::{Answer, HeldGrant},
};
use postroom_telemetry::names;
use tokio::time::{Instant, timeout_at};

use super::trouble::Trouble;
use crate::Refresher;

/// The cause of a grant that died because the answer to an earlier refresh never arrived.
const ROTATION_LOST: &str = "rotation_lost";

/// Asks for new tokens.
pub(super) async fn ask(
    refresher: &Refresher,
    delivery: &HandledEvent,
    held: &HeldGrant,
    deadline: Instant,
) -> Result<Tokens, Trouble> {
    let registration = &held.grant.provider_id;
    let discovery = timeout_at(deadline, refresher.identity().get(registration)).await;
    let provider = match discovery {
        Ok(Ok(Some(provider))) => provider,
        Ok(Ok(None)) => return Err(Trouble::not_configured(registration)),
        Ok(Err(error)) => return Err(Trouble::of_discovery(&error)),
        Err(_) => return Err(Trouble::of_cause(PROVIDER_TIMED_OUT, registration, Answer::Seen)),
    };
    let refresh_token = match grants::open_refresh_token(refresher.keys(), &held.grant) {
        Ok(None) if provider.is_delegated() => {
            return Err(Trouble::of_cause(GRANT_EXPIRED, provider.name(), Answer::Seen));
        }
        Ok(refresh_token) => refresh_token,
        Err(error) => return Err(Trouble::secret_unreadable(&error)),
    };
    let user = match refresh_token {
        Some(_) => None,
        None => user_of(refresher, &held.grant).await?,
    };
    let mailbox = mailbox_of(&held.grant, user.as_ref());
    let renewed = provider.renew(refresh_token.as_ref(), mailbox);
    let asked = within(refresher, renewed, &provider, registration, deadline).await;
    let asked = asked.map_err(|trouble| blame_lost_rotation(trouble, held, &provider));
    match &asked {
        Ok(_) => delivery.answered("token.refresh", "accepted", None),
        Err(trouble) => delivery.answered("token.refresh", trouble.class(), Some(trouble.code)),
    }
    asked
}

/// The account that a token is obtained for, where nobody signs in: one that the registration still covers, if there is one.
async fn user_of(refresher: &Refresher, grant: &Grant) -> Result<Option<Account>, Trouble> {
    let mut accounts = accounts::of_grant(refresher.store().read(), grant.id)
        .await
        .map_err(|error| Trouble::database_unavailable(&error))?;
    let covered = refresher
        .identity()
        .registration(&grant.provider_id)
        .and_then(|registration| {
            let covers = |account: &Account| registration.reach.covers(grant.tenant_id, &account.address);
            accounts.iter().position(covers)
        });
    accounts.truncate(covered.map_or(1, |covered| covered + 1));
    Ok(accounts.pop())
}

fn mailbox_of<'a>(grant: &'a Grant, user: Option<&'a Account>) -> Mailbox<'a> {
    Mailbox {
        tenant_id: grant.tenant_id,
        account_id: user.map(|account| account.id),
        address: user.map_or(grant.subject.as_str(), |account| account.address.as_str()),
    }
}

async fn within(
    refresher: &Refresher,
    renewed: impl Future<Output = Result<Tokens, TokenError>>,
    provider: &IdentityProvider,
    registration: &str,
    deadline: Instant,
) -> Result<Tokens, Trouble> {
    let begun = Instant::now();
    let asked = timeout_at(deadline, renewed).await;
    metrics::histogram!(names::TOKEN_ENDPOINT_SECONDS, "provider" => refresher.label(registration))
        .record(begun.elapsed());
    match asked {
        Ok(answered) => answered.map_err(|error| Trouble::of_refresh(&error)),
        Err(_) => Err(Trouble::of_cause(
            PROVIDER_TIMED_OUT,
            provider.name(),
            Answer::Lost,
        )),
    }
}

/// A provider that replaces refresh tokens takes the old one for stolen when it comes again. If the answer that brought
/// the new one got lost on the way or in a crash, it was worth a last try, and this is its end.
fn blame_lost_rotation(trouble: Trouble, held: &HeldGrant, provider: &IdentityProvider) -> Trouble {
    let replaced = provider.old_refresh_token() == OldRefreshToken::Revoked;
    if trouble.code == SIGN_IN_AGAIN.code && replaced && held.has_unanswered_refresh() {
        Trouble {
            code: ROTATION_LOST,
            ..trouble
        }
    } else {
        trouble
    }
}
