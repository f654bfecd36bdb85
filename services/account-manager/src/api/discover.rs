//! `GET /v1/discover?address=`: the servers of a mailbox, and the ways to sign in there.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postroom_discovery::{Discovered, DiscoveryError};
use serde::Deserialize;
use serde_json::json;

use crate::{
    http::{
        extract::{ApiQuery, ApiTenant},
        problem::{FieldProblem, Problem},
    },
    state::AppState,
};

/// The query of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    address: String,
}

pub(super) async fn discover(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiQuery(question): ApiQuery<Question>,
) -> Response {
    if let Err(wait) = state.discovery_pace().take(tenant.0) {
        // Whole seconds, rounded up: who comes back then is let through.
        return too_many(wait.as_secs() + 1);
    }
    match state.discovery().discover(&question.address).await {
        Ok(found) => axum::Json::<Discovered>(found).into_response(),
        Err(error) => problem(&error).into_response(),
    }
}

fn problem(error: &DiscoveryError) -> Problem {
    let sentence = error.to_string();
    let status = match error {
        DiscoveryError::Address(_) | DiscoveryError::Unsupported { .. } => {
            return Problem::fields(vec![FieldProblem::new("address", error.code(), sentence)]);
        }
        DiscoveryError::NotFound { .. } => StatusCode::NOT_FOUND,
        DiscoveryError::Busy => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, error.code(), sentence)
        .at("address")
        .with("tried", json!(error.tried()))
        .with("temporary", error.is_temporary())
}

fn too_many(seconds: u64) -> Response {
    let sentence = format!(
        "This key's tenant has had too many addresses looked up within a minute. Try again in {seconds} seconds."
    );
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_discoveries", sentence);
    let mut response = problem.into_response();
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
