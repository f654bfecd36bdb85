//! Accounts: connect, list, show, change.

mod create;
mod list;
mod reconnect;
mod sync;

pub(super) use create::create;
pub(super) use list::list;
pub(super) use reconnect::reconnect;
pub(super) use sync::sync;

use axum::{Json, extract::State};
use postroom_events::AccountId;
use postroom_store::{Account, accounts as rows};
use serde::Deserialize;

use crate::{
    accounts::{self, AccountView},
    http::{
        extract::{ApiId, ApiJson, ApiTenant},
        problem::Problem,
        request::Correlation,
    },
    state::AppState,
};

async fn owned(state: &AppState, tenant: ApiTenant, id: AccountId) -> Result<Account, Problem> {
    Ok(rows::find_owned(state.store().read(), tenant.0, None, id).await?)
}

/// `GET /v1/accounts/{id}`
pub(super) async fn show(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<AccountId>,
) -> Result<Json<AccountView>, Problem> {
    let account = owned(&state, tenant, id).await?;
    Ok(Json(accounts::show(&state, account).await?))
}

/// `POST /v1/accounts/{id}/pause`
pub(super) async fn pause(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiId(id): ApiId<AccountId>,
) -> Result<Json<AccountView>, Problem> {
    let account = owned(&state, tenant, id).await?;
    let account = accounts::pause(state.store(), &correlation.metadata(tenant.0), &account).await?;
    Ok(Json(accounts::show(&state, account).await?))
}

/// `POST /v1/accounts/{id}/resume`
pub(super) async fn resume(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiId(id): ApiId<AccountId>,
) -> Result<Json<AccountView>, Problem> {
    let account = owned(&state, tenant, id).await?;
    let account = accounts::resume(state.store(), &correlation.metadata(tenant.0), &account).await?;
    Ok(Json(accounts::show(&state, account).await?))
}

/// The body of a request to disconnect.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disconnect {
    /// Whether the stored mail is to be erased too.
    #[serde(default)]
    purge: bool,
}

/// `POST /v1/accounts/{id}/disconnect`
pub(super) async fn disconnect(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiId(id): ApiId<AccountId>,
    ApiJson(request): ApiJson<Disconnect>,
) -> Result<Json<AccountView>, Problem> {
    let account = owned(&state, tenant, id).await?;
    let metadata = correlation.metadata(tenant.0);
    let account = accounts::disconnect(state.store(), &metadata, &account, request.purge).await?;
    Ok(Json(accounts::show(&state, account).await?))
}
