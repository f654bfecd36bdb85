//! `POST /v1/sign-in-links`: a one-time link that lets a person of the CRM into the pages.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;

use crate::{
    connect::fields::{check_mailbox, check_user_ref},
    http::{
        extract::{ApiJson, ApiTenant},
        problem::Problem,
    },
    links::{self, Bound, MadeLink},
    return_url,
    state::AppState,
};

/// The body of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateLink {
    user_ref: String,
    /// The only address that the person may add.
    #[serde(default)]
    address: String,
    /// Where the person goes afterwards.
    #[serde(default)]
    return_url: String,
}

pub(super) async fn create(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiJson(request): ApiJson<CreateLink>,
) -> Result<(StatusCode, Json<MadeLink>), Problem> {
    let user_ref = check_user_ref(&request.user_ref).map_err(|problem| Problem::fields(vec![problem]))?;
    let refused = |problem| Problem::fields(vec![problem]);
    let expected_address = match request.address.trim() {
        "" => None,
        address => Some(check_mailbox(address).map_err(refused)?),
    };
    let return_url = match request.return_url.as_str() {
        "" => None,
        url => Some(return_url::check(&state.settings().return_origins, url).map_err(refused)?),
    };
    let bound = Bound {
        draft: None,
        expected_address,
        return_url,
    };
    let link = links::for_entering(&state, tenant.0, &user_ref, bound).await?;
    Ok((StatusCode::CREATED, Json(link)))
}
