//! What nobody signs in with any more: the secret is erased here, and the grant given back to its provider.
//!
//! Revoking may be done twice and beside a refresh, so nothing is claimed before it. Secrets are erased only after it, in
//! the end also without it: a provider that does not answer must not keep them alive here.

mod apply;
mod give_back;

use postroom_events::{AccountId, CredentialId, GrantState};
use postroom_runtime::{HandledEvent, HandlerError};
use postroom_store::{Credential, Grant, StoreError, accounts, credentials, grants};

pub(crate) use self::{apply::apply, give_back::give_back};
use crate::{Refresher, handler::Acted, refresh::Trouble};

/// A credential that nobody signs in with.
#[derive(Debug)]
pub(crate) struct Release {
    credential_id: CredentialId,
    /// Its grant, if nobody else uses that, and what became of giving it back.
    grant: Option<(Grant, Result<(), Trouble>)>,
}

/// The account is disconnected: its credential is released.
pub(crate) async fn act_on_disconnected(
    refresher: &Refresher,
    delivery: &HandledEvent,
    account_id: AccountId,
) -> Result<Acted, HandlerError> {
    let db = refresher.store().read();
    let account = match accounts::find_owned(db, delivery.envelope.tenant_id, None, account_id).await {
        Ok(account) => account,
        Err(StoreError::NotFound { .. }) => {
            tracing::info!(account.id = %account_id, "The account is erased already");
            return Ok(Acted::Nothing);
        }
        Err(error) => return Err(error.into()),
    };
    match account.credential_id {
        Some(credential_id) => act_on_replaced(refresher, delivery, credential_id).await,
        None => Ok(Acted::Nothing),
    }
}

/// Another credential has taken the place of this one: it is released.
pub(crate) async fn act_on_replaced(
    refresher: &Refresher,
    delivery: &HandledEvent,
    credential_id: CredentialId,
) -> Result<Acted, HandlerError> {
    let db = refresher.store().read();
    let credential = match credentials::find(db, delivery.envelope.tenant_id, credential_id).await {
        Ok(credential) if credential.erased_at.is_none() => credential,
        Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(Acted::Nothing),
        Err(error) => return Err(error.into()),
    };
    if credentials::is_used(db, credential.id).await? {
        tracing::info!(credential.id = %credential.id, "A connected account uses the credential; it stays");
        return Ok(Acted::Nothing);
    }
    let grant = match unused_grant(refresher, &credential).await? {
        Some(grant) => {
            let given_back = match grants::open_refresh_token(refresher.keys(), &grant) {
                Ok(Some(refresh_token)) => give_back(refresher, delivery, &grant, &refresh_token).await,
                Ok(None) => Ok(()),
                Err(error) => Err(Trouble::secret_unreadable(&error)),
            };
            Some((grant, given_back))
        }
        None => None,
    };
    Ok(Acted::Release(Box::new(Release {
        credential_id: credential.id,
        grant,
    })))
}

/// The grant behind a credential, if there is one that no connected account uses and that was not given back yet.
async fn unused_grant(refresher: &Refresher, credential: &Credential) -> Result<Option<Grant>, StoreError> {
    let db = refresher.store().read();
    let Some(grant_id) = credential.grant_id else {
        return Ok(None);
    };
    let grant = grants::find(db, credential.tenant_id, grant_id).await?;
    let done = grant.state == GrantState::Revoked;
    if done || !accounts::of_grant(db, grant_id).await?.is_empty() {
        return Ok(None);
    }
    Ok(Some(grant))
}
