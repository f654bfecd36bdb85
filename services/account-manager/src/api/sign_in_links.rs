//! `POST /v1/sign-in-links`: a one-time link that lets a person of the CRM into the pages.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;

use crate::{
    connect::fields::check_user_ref,
    http::{
        extract::{ApiJson, ApiTenant},
        problem::Problem,
    },
    links::{self, MadeLink},
    state::AppState,
};

/// The body of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateLink {
    user_ref: String,
}

pub(super) async fn create(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiJson(request): ApiJson<CreateLink>,
) -> Result<(StatusCode, Json<MadeLink>), Problem> {
    let user_ref = check_user_ref(&request.user_ref).map_err(|problem| Problem::fields(vec![problem]))?;
    let link = links::for_entering(&state, tenant.0, &user_ref).await?;
    Ok((StatusCode::CREATED, Json(link)))
}
