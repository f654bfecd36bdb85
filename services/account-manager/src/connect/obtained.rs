//! Connecting without a person at the provider: by our own right (app-only, service account), or with tokens of the
//! operator's token service. Only for the API, with a tenant's key: a person must not open somebody else's mailbox so.

use std::time::Duration;

use postroom_events::EventMetadata;
use postroom_oauth::{Mailbox, TokenError};
use postroom_providers::{OAuthRegistration, RegistrationKind};
use postroom_retry::clock;
use postroom_store::{
    Account, StoreError,
    grants::{self, NewGrant},
};

use super::{
    Proof, ProvedSecret, Secret,
    draft::ConnectDraft,
    keep_again,
    password::{keep_first, refuse_known},
    prove,
    tokens::new_tokens,
};
use crate::{
    http::problem::Problem,
    oauth::{await_admin, awaits_admin},
    state::AppState,
};

/// Whom an app-only grant stands for: the application itself, for every mailbox of its organization.
const APPLICATION: &str = "application";

/// A shared token is used for a proof only if it lasts this much longer.
const LEFT: Duration = Duration::from_secs(120);

/// Obtains a token, proves it and keeps a new account. Nothing is kept when anything fails, but that an administrator must
/// approve: then the account waits for it.
pub(crate) async fn connect(
    state: &AppState,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    registration: &OAuthRegistration,
) -> Result<Account, Problem> {
    refuse_known(state, metadata, draft).await?;
    match proved(state, metadata, draft, registration).await {
        Ok((secret, proof)) => keep_first(state, metadata, draft, secret, &proof).await,
        Err(NotProved::Awaits(error)) => {
            Ok(await_admin(state, metadata, &registration.id, draft, error.cause).await?)
        }
        Err(NotProved::For(problem)) => Err(problem),
    }
}

/// Obtains a token, proves it and gives it to an account that exists.
pub(crate) async fn connect_again(
    state: &AppState,
    metadata: &EventMetadata,
    account: &Account,
    draft: &ConnectDraft,
    registration: &OAuthRegistration,
) -> Result<Account, Problem> {
    let (secret, proof) = match proved(state, metadata, draft, registration).await {
        Ok(proved) => proved,
        Err(NotProved::Awaits(error)) => {
            await_admin(state, metadata, &registration.id, draft, error.cause).await?;
            return Err(error.into());
        }
        Err(NotProved::For(problem)) => return Err(problem),
    };
    let (store, keys) = (state.store(), state.keys());
    Ok(keep_again(store, keys, metadata, account, draft, secret, &proof).await?)
}

/// Why a way in was not proved.
enum NotProved {
    For(Problem),
    /// An administrator must approve first.
    Awaits(TokenError),
}

impl From<Problem> for NotProved {
    fn from(problem: Problem) -> Self {
        Self::For(problem)
    }
}

impl From<StoreError> for NotProved {
    fn from(error: StoreError) -> Self {
        Self::For(error.into())
    }
}

async fn proved(
    state: &AppState,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    registration: &OAuthRegistration,
) -> Result<(ProvedSecret, Proof), NotProved> {
    let subject = subject_of(registration, draft);
    if let Some(shared) = shared(state, metadata, registration, subject).await? {
        let token = Secret::AccessToken(&shared.1);
        let proof = prove(state, metadata.tenant_id, draft, token).await?;
        return Ok((ProvedSecret::SharedGrant(shared.0), proof));
    }
    let provider = state
        .identity()
        .get(&registration.id)
        .await
        .map_err(Problem::from)?;
    let provider = provider.ok_or_else(Problem::internal)?;
    let mailbox = Mailbox {
        tenant_id: metadata.tenant_id,
        account_id: draft.account_id,
        address: &draft.address,
    };
    let tokens = provider
        .obtain(mailbox)
        .await
        .map_err(|error| match awaits_admin(error.cause) {
            true => NotProved::Awaits(error),
            false => NotProved::For(error.into()),
        })?;
    let token = Secret::AccessToken(&tokens.access_token);
    let proof = prove(state, metadata.tenant_id, draft, token).await?;
    let new = NewGrant {
        tenant_id: metadata.tenant_id,
        provider_id: registration.id.clone(),
        subject: subject.to_owned(),
        identity_address: None,
        tokens: new_tokens(tokens, state.store().clock().now()),
    };
    Ok((ProvedSecret::ObtainedTokens(new), proof))
}

/// An app-only token opens every mailbox of the organization, and its accounts share one grant; every other token is for
/// one mailbox.
fn subject_of<'d>(registration: &OAuthRegistration, draft: &'d ConnectDraft) -> &'d str {
    match registration.kind {
        RegistrationKind::AppOnly(_) => APPLICATION,
        _ => &draft.address,
    }
}

/// The token that an app-only registration has already: Microsoft takes many equal requests for a loop (AADSTS50196).
async fn shared(
    state: &AppState,
    metadata: &EventMetadata,
    registration: &OAuthRegistration,
    subject: &str,
) -> Result<Option<(postroom_events::GrantId, secrecy::SecretString)>, StoreError> {
    if subject != APPLICATION {
        return Ok(None);
    }
    let (db, tenant_id) = (state.store().read(), metadata.tenant_id);
    let Some(grant) = grants::find_shared(db, tenant_id, &registration.id, subject).await? else {
        return Ok(None);
    };
    let lasts_until = clock::plus(state.store().clock().now(), LEFT);
    let good = grant.state == postroom_events::GrantState::Active
        && grant.access_expires_at.is_some_and(|end| end > lasts_until);
    let token = grants::open_access_token(state.keys(), &grant)?.filter(|_| good);
    Ok(token.map(|token| (grant.id, token)))
}

impl From<TokenError> for Problem {
    /// The identity provider cannot be used at the moment; the sentence says who can change that.
    fn from(error: TokenError) -> Self {
        Self::new(
            axum::http::StatusCode::BAD_GATEWAY,
            error.code(),
            error.to_string(),
        )
    }
}
