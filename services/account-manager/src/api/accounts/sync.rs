//! `POST /v1/accounts/{id}/sync`: look at the server now, and not only when the next look is due.

use axum::{Json, extract::State, http::StatusCode};
use postroom_events::{AccountId, FolderId, SyncRequested};
use postroom_store::{StoreError, events, folders};
use serde::Deserialize;
use serde_json::{Value, json};

use super::owned;
use crate::{
    accounts,
    http::{
        extract::{ApiId, ApiJson, ApiTenant},
        problem::Problem,
        request::Correlation,
    },
    state::AppState,
};

/// The body of the request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Sync {
    /// Only this folder; every folder when absent.
    #[serde(default)]
    folder_id: Option<FolderId>,
}

pub(in crate::api) async fn sync(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiId(id): ApiId<AccountId>,
    ApiJson(request): ApiJson<Sync>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let account = owned(&state, tenant, id).await?;
    accounts::refuse_disconnected(&account)?;
    if let Some(folder_id) = request.folder_id {
        let folder = folders::find_owned(state.store().read(), tenant.0, folder_id).await?;
        if folder.account_id != account.id {
            return Err(StoreError::not_found("folder", folder_id).into());
        }
    }
    let tx = state.store().begin("account.sync").await?;
    let event = SyncRequested {
        account_id: account.id,
        folder_id: request.folder_id,
    };
    let written = events::append(&tx, &correlation.metadata(tenant.0), vec![event.into()]).await?;
    tx.commit().await?;
    let event_id = written.first().map(|envelope| envelope.id);
    Ok((StatusCode::ACCEPTED, Json(json!({ "event_id": event_id }))))
}
