//! The way back: the answer must belong to this browser and be the first one; who signed in must be who was expected;
//! and the way in is proved on both servers before the account counts as connected.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use postroom_crypto::TokenDigest;
use postroom_events::{EventMetadata, TenantId};
use postroom_oauth::{CodeExchange, IdentityProvider, RedirectError, Tokens};
use postroom_store::{
    Account, AuthorizationRequest, WebSession, accounts,
    authorization_requests::{self, Take},
    grants::NewGrant,
};
use secrecy::SecretString;
use serde::Deserialize;
use tracing::Instrument;
use url::Url;

use super::{
    Refusal, await_admin,
    check::{check_completeness, check_identity},
    give_back::{Given, give_back},
};
use crate::{
    connect::{ProvedSecret, Secret, draft::ConnectDraft, keep_again, keep_new, new_tokens, prove},
    http::{extract::SecretText, problem::Problem},
    state::AppState,
};

/// What came back with the browser. All of it is untrusted: anybody can send a browser here.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) state: String,
    pub(crate) code: Option<SecretText>,
    pub(crate) iss: Option<String>,
    pub(crate) error: Option<String>,
    #[serde(alias = "error_subcode")]
    pub(crate) suberror: Option<String>,
    pub(crate) error_description: Option<String>,
}

/// A sign-in that came to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) account: Account,
    /// Whether the account existed before.
    pub(crate) again: bool,
}

/// Ends a sign-in.
///
/// What follows the answer is a task of its own: when the browser goes away half-way, the account is kept all the same, or
/// what the provider gave is given back.
pub(crate) async fn finish(
    state: &AppState,
    session: &WebSession,
    metadata: &EventMetadata,
    answer: Answer,
) -> Result<Finished, Refusal> {
    let request = take(state, session, &answer.state).await?;
    let draft: ConnectDraft = serde_json::from_value(request.draft.clone()).map_err(|_| {
        Refusal::new(
            "sign_in_outdated",
            "This sign-in was begun with an older version of Postroom. Start again.",
        )
    })?;
    let registration = request.provider_id.clone();
    let carried_out = carry_out(state.clone(), metadata.clone(), request, draft.clone(), answer);
    let outcome = tokio::spawn(carried_out.in_current_span()).await;
    let outcome = outcome.unwrap_or_else(|error| {
        tracing::error!(%error, "A sign-in crashed");
        Err(Problem::internal().into())
    });
    let Err(mut refusal) = outcome else { return outcome };
    if let Some(cause) = refusal.awaits.take() {
        let account = await_admin(state, metadata, &registration, &draft, *cause).await?;
        refusal.waiting = Some(account.id);
    }
    Err(refusal.about(&draft))
}

/// The request that the answer belongs to, used up by this.
async fn take(
    state: &AppState,
    session: &WebSession,
    answered: &str,
) -> Result<AuthorizationRequest, Refusal> {
    let tx = state.store().begin("authorization.take").await?;
    let taken = authorization_requests::take(&tx, &TokenDigest::of(answered), session.id).await?;
    tx.commit().await?;
    let (code, sentence) = match taken {
        Take::Taken(request) => return Ok(*request),
        Take::UsedBefore => (
            "sign_in_used",
            "This sign-in was finished or refused already; it works only once. If the account is not in your list, start \
             again.",
        ),
        Take::Expired => (
            "sign_in_expired",
            "This sign-in took too long and is no longer valid. Start again.",
        ),
        Take::OtherBrowser => (
            "sign_in_other_browser",
            "This sign-in was begun in another browser, so it is not accepted here. Start again in this one.",
        ),
        Take::Unknown => (
            "sign_in_unknown",
            "This answer belongs to no sign-in that was begun here. Start again from your email accounts.",
        ),
    };
    Err(Refusal::new(code, sentence))
}

async fn carry_out(
    state: AppState,
    metadata: EventMetadata,
    request: AuthorizationRequest,
    draft: ConnectDraft,
    answer: Answer,
) -> Result<Finished, Refusal> {
    let provider = state.identity().get(&request.provider_id).await?.ok_or_else(|| {
        Refusal::new(
            "oauth_not_configured",
            "The registration at the identity provider was removed meanwhile. Ask the operator.",
        )
    })?;
    let tokens = exchange(&state, &provider, &request, &answer).await?;
    keep_or_give_back(&state, &metadata, &request.provider_id, &draft, provider, tokens).await
}

/// Keeps the account that the tokens are for; what leads to none is given back.
pub(super) async fn keep_or_give_back(
    state: &AppState,
    metadata: &EventMetadata,
    registration: &str,
    draft: &ConnectDraft,
    provider: Arc<IdentityProvider>,
    tokens: Tokens,
) -> Result<Finished, Refusal> {
    let given = Given {
        provider: Arc::clone(&provider),
        provider_id: registration.to_owned(),
        subject: subject_of(&tokens, draft),
        refresh_token: tokens.refresh_token.clone(),
    };
    let finished = prove_and_keep(state, metadata, registration, draft, &provider, tokens).await;
    if finished.is_err() {
        give_back(state, given);
    }
    finished
}

async fn prove_and_keep(
    state: &AppState,
    metadata: &EventMetadata,
    registration: &str,
    draft: &ConnectDraft,
    provider: &IdentityProvider,
    tokens: Tokens,
) -> Result<Finished, Refusal> {
    check_identity(provider, &tokens, draft)?;
    check_completeness(provider, &tokens)?;
    let token = Secret::AccessToken(&tokens.access_token);
    let proof = prove(state, metadata.tenant_id, draft, token).await?;
    let now = state.store().clock().now();
    let secret = ProvedSecret::Grant(new_grant(metadata.tenant_id, registration, draft, tokens, now));
    let (store, keys) = (state.store(), state.keys());
    let Some(account_id) = draft.account_id else {
        let account = keep_new(store, keys, metadata, draft, secret, &proof).await?;
        return Ok(Finished {
            account,
            again: false,
        });
    };
    let user_ref = Some(draft.user_ref.as_str());
    let account = accounts::find_owned(store.read(), metadata.tenant_id, user_ref, account_id).await?;
    let account = keep_again(store, keys, metadata, &account, draft, secret, &proof).await?;
    Ok(Finished { account, again: true })
}

async fn exchange(
    state: &AppState,
    provider: &Arc<IdentityProvider>,
    request: &AuthorizationRequest,
    answer: &Answer,
) -> Result<Tokens, Refusal> {
    if let Some(error) = &answer.error {
        let error = RedirectError {
            error,
            suberror: answer.suberror.as_deref(),
            description: answer.error_description.as_deref(),
        };
        return Err(provider.redirect_error(&error).into());
    }
    let code = answer.code.as_ref().ok_or_else(|| {
        Refusal::new(
            "sign_in_incomplete",
            format!(
                "{} sent neither permission nor a reason. Start again.",
                provider.name()
            ),
        )
    })?;
    let redirect_url = Url::parse(&request.redirect_uri).map_err(|_| Problem::internal())?;
    let pkce_verifier = authorization_requests::open_pkce_verifier(state.keys(), request)?;
    let nonce = SecretString::from(request.nonce.clone());
    let exchange = CodeExchange {
        code: &code.0,
        issuer: answer.iss.as_deref(),
        redirect_url: &redirect_url,
        pkce_verifier: &pkce_verifier,
        nonce: &nonce,
    };
    Ok(provider.exchange_code(exchange).await?)
}

/// The person as the provider names them. Where it does not say who it was, the mailbox stands for the person.
fn subject_of(tokens: &Tokens, draft: &ConnectDraft) -> String {
    match &tokens.identity {
        Some(identity) => identity.subject.clone(),
        None => draft.address.clone(),
    }
}

fn new_grant(
    tenant_id: TenantId,
    registration: &str,
    draft: &ConnectDraft,
    tokens: Tokens,
    now: DateTime<Utc>,
) -> NewGrant {
    let subject = subject_of(&tokens, draft);
    let identity_address = tokens
        .identity
        .as_ref()
        .and_then(|identity| identity.addresses.first().cloned());
    NewGrant {
        tenant_id,
        provider_id: registration.to_owned(),
        subject,
        identity_address,
        tokens: new_tokens(tokens, now),
    }
}
