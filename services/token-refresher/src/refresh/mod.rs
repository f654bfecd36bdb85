//! One refresh: hold the grant, ask the provider, put what it gives on disk.

mod ask;
mod failed;
mod keep;
mod trouble;

use postroom_events::{GrantId, WhoCanAct};
use postroom_runtime::{HandledEvent, HandlerError};
use postroom_store::refreshes::{self, HeldGrant, Hold, RefreshRequest};
use postroom_telemetry::names;
use tokio::time::Instant;

pub(crate) use self::{
    failed::{FailedRefresh, apply as apply_failed},
    trouble::Trouble,
};
use crate::{Refresher, handler::Acted, reauthorization::DeadGrant};

/// Refreshes a grant, if its tokens are still of that version.
///
/// New tokens are stored here and not in `apply`: a batch is committed when its slowest event has acted, and until a
/// rotated refresh token is on disk a crash loses the grant. Everything else can wait for the batch.
pub(crate) async fn act(
    refresher: &Refresher,
    delivery: &HandledEvent,
    grant_id: GrantId,
    token_version: i64,
) -> Result<Acted, HandlerError> {
    // Counted from before the hold was asked for: it cannot end before the refresh does.
    let deadline = Instant::now() + refresher.settings().refresh_limit;
    let request = RefreshRequest {
        tenant_id: delivery.envelope.tenant_id,
        grant_id,
        token_version,
        by: delivery.envelope.id,
    };
    let held = match refreshes::hold(refresher.store(), &request, refresher.settings().hold).await? {
        Hold::Held(held) => held,
        Hold::Busy { until, by } if by == request.by => return Ok(Acted::WaitUntil(until)),
        Hold::Busy { by, .. } => {
            tracing::debug!(grant.id = %grant_id, event.id = %by, "Another event sees this refresh through");
            return Ok(Acted::Nothing);
        }
        Hold::MovedOn => {
            tracing::info!(grant.id = %grant_id, token_version, "The grant has newer tokens; nothing is refreshed");
            return Ok(Acted::Nothing);
        }
        Hold::NotActive => {
            tracing::info!(grant.id = %grant_id, "The grant is not active any more; nothing is refreshed");
            return Ok(Acted::Nothing);
        }
    };
    let asked = ask::ask(refresher, delivery, &held, deadline).await;
    let label = refresher.label(&held.grant.provider_id);
    let (outcome, acted) = match asked {
        Ok(tokens) => (
            keep::keep(refresher, delivery, held, tokens).await?,
            Acted::Nothing,
        ),
        Err(trouble) => (trouble.outcome(), no_tokens(held, trouble)),
    };
    metrics::counter!(names::TOKEN_REFRESHES, "provider" => label, "outcome" => outcome).increment(1);
    Ok(acted)
}

fn no_tokens(held: Box<HeldGrant>, trouble: Trouble) -> Acted {
    match trouble.who_can_act {
        WhoCanAct::User | WhoCanAct::Administrator => Acted::Dead(DeadGrant {
            held,
            cause: trouble.code,
            who_can_act: trouble.who_can_act,
        }),
        WhoCanAct::Nobody | WhoCanAct::Operator => Acted::Failed(FailedRefresh { held, trouble }),
    }
}
