//! Asking the provider for new tokens, in the time that the hold leaves.

use postroom_oauth::{
    IdentityProvider, Tokens,
    causes::{GRANT_EXPIRED, PROVIDER_TIMED_OUT, SIGN_IN_AGAIN},
};
use postroom_providers::OldRefreshToken;
use postroom_runtime::HandledEvent;
use postroom_store::{
    grants,
    refreshes::{Answer, HeldGrant},
};
use postroom_telemetry::names;
use secrecy::SecretString;
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
        Ok(Some(refresh_token)) => refresh_token,
        Ok(None) => return Err(Trouble::of_cause(GRANT_EXPIRED, provider.name(), Answer::Seen)),
        Err(error) => return Err(Trouble::secret_unreadable(&error)),
    };
    let asked = refresh(refresher, &provider, registration, &refresh_token, deadline).await;
    let asked = asked.map_err(|trouble| blame_lost_rotation(trouble, held, &provider));
    match &asked {
        Ok(_) => delivery.answered("token.refresh", "accepted", None),
        Err(trouble) => delivery.answered("token.refresh", trouble.class(), Some(trouble.code)),
    }
    asked
}

async fn refresh(
    refresher: &Refresher,
    provider: &IdentityProvider,
    registration: &str,
    refresh_token: &SecretString,
    deadline: Instant,
) -> Result<Tokens, Trouble> {
    let begun = Instant::now();
    let asked = timeout_at(deadline, provider.refresh(refresh_token)).await;
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
