//! Who looks at a page.

use axum::{extract::FromRequestParts, http::request::Parts, response::Response};
use postroom_crypto::TokenDigest;
use postroom_events::AccountId;
use postroom_store::{Account, WebSession, accounts, sessions};

use super::{cookie, render};
use crate::state::AppState;

/// A person with a live session.
#[derive(Debug, Clone)]
pub(super) struct Person(pub(super) WebSession);

impl FromRequestParts<AppState> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let Some(token) = cookie::read(&parts.headers, state.settings()) else {
            return Err(render::entrance(state));
        };
        match sessions::find(state.store(), &TokenDigest::of(token)).await {
            Ok(Some(session)) => {
                tracing::Span::current().record("tenant.id", tracing::field::display(session.tenant_id));
                Ok(Self(session))
            }
            Ok(None) => Err(render::entrance(state)),
            Err(error) => Err(render::problem(state, None, &error.into())),
        }
    }
}

impl Person {
    /// The session.
    pub(super) fn session(&self) -> &WebSession {
        &self.0
    }

    /// One of the person's own accounts.
    pub(super) async fn account(&self, state: &AppState, id: &str) -> Result<Account, Response> {
        let not_found = || render::missing(state, self, "account");
        let id: AccountId = id.parse().map_err(|_| not_found())?;
        let user_ref = Some(self.0.user_ref.as_str());
        accounts::find_owned(state.store().read(), self.0.tenant_id, user_ref, id)
            .await
            .map_err(|error| render::store_error(state, self, error))
    }
}
