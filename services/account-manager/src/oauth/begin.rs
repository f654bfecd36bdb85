//! The way out: a request for authorization, bound to this browser, this tenant and this provider.

use axum::http::StatusCode;
use postroom_crypto::TokenDigest;
use postroom_oauth::{AuthorizationOptions, TokenError};
use postroom_providers::OAuthRegistration;
use postroom_store::{
    WebSession,
    authorization_requests::{self, NewAuthorizationRequest},
};
use secrecy::ExposeSecret;
use url::Url;

use crate::{
    connect::{self, draft::ConnectDraft},
    http::problem::Problem,
    state::AppState,
};

/// Where to send the person.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) url: Url,
    pub(crate) provider: String,
}

/// Begins a sign-in. Of the three secrets of the request, `state` is kept as a digest and the PKCE verifier sealed.
pub(crate) async fn begin(
    state: &AppState,
    session: &WebSession,
    draft: &ConnectDraft,
) -> Result<Started, Problem> {
    let registration = connect::choose(state.identity(), state.providers(), draft)
        .map_err(|problem| Problem::fields(vec![problem]))?;
    let provider = state
        .identity()
        .get(&registration.id)
        .await
        .map_err(|error| unavailable(&error))?
        .ok_or_else(Problem::internal)?;
    let redirect_uri = redirect_uri(state, registration)?;
    let options = AuthorizationOptions {
        login_hint: Some(&draft.address),
        ..AuthorizationOptions::default()
    };
    let request = provider
        .authorization_request(&redirect_uri, options)
        .map_err(|error| unavailable(&error))?;
    let tx = state.store().begin("authorization.begin").await?;
    let new = NewAuthorizationRequest {
        tenant_id: session.tenant_id,
        user_ref: session.user_ref.clone(),
        web_session_id: session.id,
        provider_id: registration.id.clone(),
        account_id: draft.account_id,
        state: TokenDigest::of(request.csrf_state.expose_secret()),
        pkce_verifier: request.pkce_verifier,
        nonce: request.nonce.expose_secret().to_owned(),
        redirect_uri: redirect_uri.to_string(),
        draft: serde_json::to_value(draft).unwrap_or_default(),
        lifetime: state.settings().authorization_lifetime,
    };
    authorization_requests::add(&tx, state.keys(), new).await?;
    tx.commit().await?;
    Ok(Started {
        url: request.url,
        provider: provider.name().to_owned(),
    })
}

/// Exactly the URL that is registered at the provider.
fn redirect_uri(state: &AppState, registration: &OAuthRegistration) -> Result<Url, Problem> {
    let base = registration
        .redirect_base
        .as_ref()
        .unwrap_or(&state.settings().base_url);
    let address = format!("{}/oauth/callback", base.as_str().trim_end_matches('/'));
    Url::parse(&address).map_err(|error| {
        tracing::error!(registration.id, %error, "The redirect URL of an OAuth registration is not a URL");
        Problem::internal()
    })
}

/// The identity provider cannot be used at the moment; the sentence says who can change that.
fn unavailable(error: &TokenError) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, error.code(), error.to_string())
}
