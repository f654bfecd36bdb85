//! The way out: a request for authorization, bound to this browser, this tenant and this provider.

use postroom_crypto::TokenDigest;
use postroom_oauth::AuthorizationOptions;
use postroom_providers::OAuthRegistration;
use postroom_store::{
    StoreError, WebSession, accounts,
    authorization_requests::{self, NewAuthorizationRequest},
    credentials, grants,
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
    let draft = &with_person(state, session, draft).await?;
    let (identity, providers) = (state.identity(), state.providers());
    let registration = connect::choose_for_person(identity, providers, session.tenant_id, draft)
        .map_err(|problem| Problem::fields(vec![problem]))?;
    let provider = identity.get(&registration.id).await?;
    let provider = provider.ok_or_else(Problem::internal)?;
    let redirect_uri = redirect_uri(state, registration, "/oauth/callback")?;
    let options = AuthorizationOptions {
        login_hint: Some(draft.person()),
        ..AuthorizationOptions::default()
    };
    let request = provider.authorization_request(&redirect_uri, options)?;
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
pub(super) fn redirect_uri(
    state: &AppState,
    registration: &OAuthRegistration,
    path: &str,
) -> Result<Url, Problem> {
    let base = registration
        .redirect_base
        .as_ref()
        .unwrap_or(&state.settings().base_url);
    let address = format!("{}{path}", base.as_str().trim_end_matches('/'));
    Url::parse(&address).map_err(|error| {
        tracing::error!(registration.id, %error, "The redirect URL of an OAuth registration is not a URL");
        Problem::internal()
    })
}

/// Whoever signs in again for a shared mailbox must be the person who did before.
async fn with_person(
    state: &AppState,
    session: &WebSession,
    draft: &ConnectDraft,
) -> Result<ConnectDraft, StoreError> {
    let mut draft = draft.clone();
    let (db, tenant_id) = (state.store().read(), session.tenant_id);
    if let (Some(id), None) = (draft.account_id, &draft.signs_in_as) {
        let account = accounts::find_owned(db, tenant_id, Some(&session.user_ref), id).await?;
        if let (Some(_), Some(credential_id)) = (&account.mailbox, account.credential_id)
            && let Some(grant_id) = credentials::find(db, tenant_id, credential_id).await?.grant_id
        {
            draft.signs_in_as = grants::find(db, tenant_id, grant_id).await?.identity_address;
        }
    }
    Ok(draft)
}
