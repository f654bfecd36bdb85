//! Giving a grant back to its provider.

use postroom_oauth::{Revocation, causes::PROVIDER_TIMED_OUT};
use postroom_runtime::HandledEvent;
use postroom_store::{Grant, grants, refreshes::Answer};
use secrecy::SecretString;
use tokio::time::timeout;

use crate::{Refresher, refresh::Trouble};

/// Revokes a refresh token at the provider (RFC 7009), and with it the grant. One that the provider no longer accepts, or
/// that it offers no way to revoke, is given back as well as it can be; so is one of a person whose permission another
/// account lives on.
pub(crate) async fn give_back(
    refresher: &Refresher,
    delivery: &HandledEvent,
    grant: &Grant,
    refresh_token: &SecretString,
) -> Result<(), Trouble> {
    let db = refresher.store().read();
    if grants::in_use_of_person(db, &grant.provider_id, &grant.subject)
        .await
        .map_err(|error| Trouble::database_unavailable(&error))?
    {
        tracing::info!(grant.id = %grant.id, "Another account lives on this person's permission; it is not withdrawn");
        return Ok(());
    }
    let limit = refresher.settings().refresh_limit;
    let revoked = match timeout(limit, revoke(refresher, grant, refresh_token)).await {
        Ok(revoked) => revoked,
        Err(_) => Err(Trouble::of_cause(
            PROVIDER_TIMED_OUT,
            &grant.provider_id,
            Answer::Lost,
        )),
    };
    match revoked {
        Ok(Revocation::Done) => {
            delivery.answered("token.revoke", "accepted", None);
            tracing::info!(grant.id = %grant.id, "Gave a grant back to its provider");
            Ok(())
        }
        Ok(Revocation::NotOffered) => {
            delivery.answered("token.revoke", "permanent", Some("not_offered"));
            tracing::info!(grant.id = %grant.id, "The provider offers no way to give a grant back");
            Ok(())
        }
        Err(trouble) => {
            delivery.answered("token.revoke", trouble.class(), Some(trouble.code));
            Err(trouble)
        }
    }
}

async fn revoke(
    refresher: &Refresher,
    grant: &Grant,
    refresh_token: &SecretString,
) -> Result<Revocation, Trouble> {
    let provider = refresher.identity().get(&grant.provider_id).await;
    let provider = provider
        .map_err(|error| Trouble::of_discovery(&error))?
        .ok_or_else(|| Trouble::not_configured(&grant.provider_id))?;
    match provider.revoke(refresh_token).await {
        Err(error) if error.ends_the_grant() => Ok(Revocation::Done), // it is dead there already
        Err(error) => Err(Trouble::of_refresh(&error)),
        Ok(revocation) => Ok(revocation),
    }
}
