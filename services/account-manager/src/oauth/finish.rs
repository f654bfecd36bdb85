//! The way back: the answer must belong to this browser and be the first one; who signed in must be who was expected;
//! and the way in is proved on both servers before the account counts as connected.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use postroom_crypto::TokenDigest;
use postroom_events::EventMetadata;
use postroom_oauth::{CodeExchange, IdentityProvider, RedirectError, TokenError, Tokens};
use postroom_retry::clock;
use postroom_store::{
    Account, AuthorizationRequest, StoreError, WebSession, accounts,
    authorization_requests::{self, Take},
    grants::{NewGrant, NewTokens},
};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::{
    connect::{ProvedSecret, Secret, draft::ConnectDraft, keep_again, keep_new, prove},
    http::{
        extract::SecretText,
        problem::{FieldProblem, Problem},
    },
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

/// A sign-in that did not lead to a connected account. Nothing was kept.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Stable snake_case code.
    pub(crate) code: String,
    /// What happened and what to do.
    pub(crate) sentence: String,
    /// Problems of the two servers, where they are the cause.
    pub(crate) problems: Vec<FieldProblem>,
    /// What was to be connected, if the answer belonged to a sign-in of this browser.
    pub(crate) draft: Option<Box<ConnectDraft>>,
}

impl Refusal {
    fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            sentence: sentence.into(),
            problems: Vec::new(),
            draft: None,
        }
    }

    fn about(mut self, draft: &ConnectDraft) -> Self {
        self.draft = Some(Box::new(draft.clone()));
        self
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code().to_owned(),
            sentence: problem.detail().to_owned(),
            problems: problem.field_problems().to_vec(),
            draft: None,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

/// Ends a sign-in.
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
    carry_out(state, metadata, &request, &draft, answer)
        .await
        .map_err(|refusal| refusal.about(&draft))
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
    state: &AppState,
    metadata: &EventMetadata,
    request: &AuthorizationRequest,
    draft: &ConnectDraft,
    answer: Answer,
) -> Result<Finished, Refusal> {
    let provider = state.identity().get(&request.provider_id).await?.ok_or_else(|| {
        Refusal::new(
            "oauth_not_configured",
            "The registration at the identity provider was removed meanwhile. Ask the operator.",
        )
    })?;
    let tokens = exchange(state, &provider, request, &answer).await?;
    check_identity(&provider, &tokens, draft).await?;
    check_completeness(&provider, &tokens)?;
    let proof = prove(state, draft, Secret::AccessToken(&tokens.access_token))
        .await
        .map_err(|problems| Refusal::from(Problem::fields(problems)))?;
    let now = state.store().clock().now();
    let secret = ProvedSecret::Grant(new_grant(request, draft, tokens, now));
    let (store, keys) = (state.store(), state.keys());
    let Some(account_id) = request.account_id else {
        let account = keep_new(store, keys, metadata, draft, secret, &proof).await?;
        return Ok(Finished {
            account,
            again: false,
        });
    };
    let user_ref = Some(request.user_ref.as_str());
    let account = accounts::find_owned(store.read(), request.tenant_id, user_ref, account_id).await?;
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

/// Who signed in must be who was expected: it is easily somebody else in a browser that knows several people.
async fn check_identity(
    provider: &IdentityProvider,
    tokens: &Tokens,
    draft: &ConnectDraft,
) -> Result<(), Refusal> {
    let Some(identity) = &tokens.identity else {
        return Ok(());
    };
    if identity.addresses.is_empty() || identity.has_address(&draft.address) {
        return Ok(());
    }
    // Somebody else's permission is not ours to keep. If it cannot be given back, it ends by itself.
    if let Some(refresh_token) = &tokens.refresh_token
        && let Err(error) = provider.revoke(refresh_token).await
    {
        tracing::info!(
            cause = error.code(),
            "A grant of another person could not be given back"
        );
    }
    let signed_in: Vec<_> = identity
        .addresses
        .iter()
        .map(|address| printable(address))
        .collect();
    Err(Refusal::new(
        "wrong_person",
        format!(
            "You signed in at {} as {}, but {} was to be connected. Start again and choose that account there.",
            provider.name(),
            signed_in.join(", "),
            draft.address
        ),
    ))
}

fn printable(address: &str) -> String {
    address.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn check_completeness(provider: &IdentityProvider, tokens: &Tokens) -> Result<(), Refusal> {
    if !tokens.missing_scopes.is_empty() {
        return Err(Refusal::new(
            "permission_incomplete",
            format!(
                "Not every permission was given at {}: reading and sending mail are both needed. Start again and leave \
                 all boxes ticked.",
                provider.name()
            ),
        ));
    }
    if tokens.refresh_token.is_none() {
        return Err(Refusal::new(
            "no_lasting_permission",
            format!(
                "{} gave permission for a short time only. The operator must add lasting access (offline_access) to the \
                 OAuth registration.",
                provider.name()
            ),
        ));
    }
    Ok(())
}

fn new_grant(
    request: &AuthorizationRequest,
    draft: &ConnectDraft,
    tokens: Tokens,
    now: DateTime<Utc>,
) -> NewGrant {
    let (subject, identity_address) = match tokens.identity {
        Some(identity) => (identity.subject, identity.addresses.into_iter().next()),
        // Where the provider does not say who it was, the mailbox stands for the person.
        None => (draft.address.clone(), None),
    };
    NewGrant {
        tenant_id: request.tenant_id,
        provider_id: request.provider_id.clone(),
        subject,
        identity_address,
        tokens: NewTokens {
            access_token: tokens.access_token,
            expires_at: Some(clock::plus(now, tokens.expires_in)),
            refresh_token: tokens.refresh_token,
            scopes: tokens.scopes.join(" "),
            refresh_due_at: Some(clock::plus(now, refresh_after(tokens.expires_in))),
        },
    }
}

/// Well before the end, whatever its length: token-refresher plans every later refresh by its own rule.
fn refresh_after(lifetime: Duration) -> Duration {
    lifetime.saturating_sub((lifetime / 4).min(Duration::from_secs(600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refresh_comes_before_the_end() {
        let after = |seconds| refresh_after(Duration::from_secs(seconds)).as_secs();
        assert_eq!((after(3600), after(60), after(0)), (3000, 45, 0));
    }
}
