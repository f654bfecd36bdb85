//! `GET /v1/device-sign-ins/{id}`: what became of a sign-in on another device.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use postroom_events::{AccountId, DeviceSignInId};
use postroom_store::device_sign_ins;
use serde::Serialize;

use crate::{
    http::{
        extract::{ApiId, ApiTenant},
        problem::Problem,
    },
    state::AppState,
};

#[derive(Debug, Serialize)]
pub(super) struct View {
    id: DeviceSignInId,
    /// `pending`, `connected` or `refused`.
    state: &'static str,
    account_id: Option<AccountId>,
    cause: Option<String>,
    sentence: Option<String>,
    expires_at: DateTime<Utc>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<DeviceSignInId>,
) -> Result<Json<View>, Problem> {
    let row = device_sign_ins::find(state.store().read(), tenant.0, id).await?;
    let mut view = View {
        id: row.id,
        state: "pending",
        account_id: row.account_id,
        cause: row.cause,
        sentence: row.sentence,
        expires_at: row.expires_at,
    };
    if view.account_id.is_some() {
        view.state = "connected";
    } else if view.cause.is_some() {
        view.state = "refused";
    } else if view.expires_at <= state.store().clock().now() {
        // Nobody came, or the process that waited has ended.
        view.state = "refused";
        view.cause = Some("sign_in_expired".to_owned());
        view.sentence = Some("This sign-in took too long and is no longer valid. Start again.".to_owned());
    }
    Ok(Json(view))
}
