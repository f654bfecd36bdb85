//! Tokens that led to no account: what nobody keeps here must not live on at the provider.

use std::{sync::Arc, time::Duration};

use postroom_oauth::{IdentityProvider, Revocation};
use postroom_store::grants;
use secrecy::SecretString;
use tokio::time::timeout;
use tracing::Instrument;

use crate::state::AppState;

/// How long a provider may take for it.
const LIMIT: Duration = Duration::from_secs(30);

/// What a provider gave for a code.
pub(super) struct Given {
    pub(super) provider: Arc<IdentityProvider>,
    /// Id of the registration.
    pub(super) provider_id: String,
    /// The person, as the provider names them.
    pub(super) subject: String,
    pub(super) refresh_token: Option<SecretString>,
}

/// Gives it back (RFC 7009), in a task of its own, for which nobody waits. Tried once: what cannot be given back ends by
/// itself, and the person can withdraw it in the provider's own settings.
pub(super) fn give_back(state: &AppState, given: Given) {
    let state = state.clone();
    let giving_back = async move {
        if timeout(LIMIT, revoke(&state, &given)).await.is_err() {
            tracing::warn!(
                registration = given.provider_id,
                "The provider took too long to take tokens back"
            );
        }
    };
    tokio::spawn(giving_back.in_current_span());
}

async fn revoke(state: &AppState, given: &Given) {
    let (registration, db) = (given.provider_id.as_str(), state.store().read());
    let Some(refresh_token) = &given.refresh_token else {
        return;
    };
    match grants::in_use_of_person(db, registration, &given.subject).await {
        Ok(false) => {}
        Ok(true) => {
            tracing::info!(
                registration,
                "Tokens were not given back: an account lives on this person's permission"
            );
            return;
        }
        Err(error) => {
            tracing::warn!(registration, %error, "Tokens were not given back: who else needs them is not known");
            return;
        }
    }
    match given.provider.revoke(refresh_token).await {
        Ok(Revocation::Done) => tracing::info!(registration, "Gave tokens that led to no account back"),
        Ok(Revocation::NotOffered) => {
            tracing::info!(registration, "The provider offers no way to give tokens back");
        }
        Err(error) => tracing::warn!(
            registration,
            cause = error.code(),
            "Tokens could not be given back"
        ),
    }
}
