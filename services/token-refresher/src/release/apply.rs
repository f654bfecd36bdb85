//! Erasing what was given back; or waiting for the provider, for a while.

use postroom_events::GrantState;
use postroom_retry::{Failure, policies::REVOKE_GRANT};
use postroom_runtime::{HandledEvent, HandlerError, Verdict};
use postroom_store::{Grant, Tx, accounts, credentials, grants};

use super::Release;
use crate::{
    first_attempt::{first_attempt_at, jitter},
    refresh::Trouble,
};

/// Erases the credential, and ends its grant if nobody else uses it.
pub(crate) async fn apply(
    tx: &Tx,
    delivery: &HandledEvent,
    release: &Release,
) -> Result<Verdict, HandlerError> {
    if credentials::is_used(tx.db(), release.credential_id).await? {
        return Ok(Verdict::Done); // since a moment ago
    }
    if let Some((grant, given_back)) = &release.grant {
        if let Err(trouble) = given_back
            && let Some(retry) = retry(tx, delivery, grant, trouble).await?
        {
            return Ok(retry);
        }
        end(tx, grant).await?;
    }
    credentials::erase(tx, release.credential_id).await?;
    tracing::info!(credential.id = %release.credential_id, "Erased a credential that nobody uses any more");
    Ok(Verdict::Done)
}

/// When to try again; not at all once the secrets have waited long enough.
async fn retry(
    tx: &Tx,
    delivery: &HandledEvent,
    grant: &Grant,
    trouble: &Trouble,
) -> Result<Option<Verdict>, HandlerError> {
    let now = tx.store().now(tx.db()).await?;
    let failure = Failure {
        attempts: delivery.attempt,
        first_at: first_attempt_at(tx, delivery, now).await?,
        retry_after: trouble.retry_after,
    };
    let next = REVOKE_GRANT.next_at(now, &failure, jitter(delivery, delivery.attempt));
    if next.is_none() {
        tracing::warn!(
            grant.id = %grant.id,
            registration = grant.provider_id,
            cause = trouble.code,
            "A grant could not be given back; its tokens are erased here, and the person can withdraw the permission in the \
             provider's own settings"
        );
    }
    Ok(next.map(|at| Verdict::RetryAt(at, trouble.sentence.clone())))
}

async fn end(tx: &Tx, grant: &Grant) -> Result<(), HandlerError> {
    if !accounts::of_grant(tx.db(), grant.id).await?.is_empty() {
        tracing::warn!(grant.id = %grant.id, "An account was connected with a grant while it was given back");
        return Ok(()); // its next refresh tells whether it still lives
    }
    if grants::end(tx, grant, GrantState::Revoked, "released").await? {
        return Ok(());
    }
    // Refreshed a moment ago: what the provider gave then is to be given back, too.
    Err(HandlerError::retry(
        "the grant got new tokens while it was given back",
    ))
}
