//! An account was connected with a grant: from now on that has a time for its refresh.

use postroom_events::{GrantId, GrantState, TenantId};
use postroom_retry::Jitter;
use postroom_store::{StoreError, Tx, grants, refreshes};

use crate::{Refresher, schedule};

/// Makes sure that a grant is refreshed before its access token ends, whatever was planned while nobody used it.
pub(crate) async fn plan_refresh(
    refresher: &Refresher,
    tx: &Tx,
    tenant_id: TenantId,
    grant_id: GrantId,
) -> Result<(), StoreError> {
    let grant = match grants::find(tx.db(), tenant_id, grant_id).await {
        Ok(grant) => grant,
        Err(StoreError::NotFound { .. }) => {
            tracing::info!(grant.id = %grant_id, "The grant is gone; there is nothing to plan");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let obtained = refresher
        .identity()
        .registration(&grant.provider_id)
        .is_some_and(|registration| !registration.kind.is_delegated());
    let renewable = obtained || grant.sealed_refresh_token.is_some();
    if grant.state != GrantState::Active || !renewable {
        return Ok(());
    }
    let now = tx.store().now(tx.db()).await?;
    let jitter = Jitter::of(grant.id.0.as_u64_pair().1);
    let latest = schedule::latest_refresh(now, grant.access_expires_at, jitter);
    if grant.refresh_due_at.is_none_or(|due| due > latest) {
        refreshes::set_due(tx, &[grant_id], latest).await?;
    }
    Ok(())
}
