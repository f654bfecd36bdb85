//! The HTTP API under `/v1`: JSON in and out, RFC 9457 problems, an API key per tenant. `docs/api.md` describes it.

mod accounts;
mod attachments;
mod dead_letters;
mod device_sign_ins;
mod discover;
mod events;
mod folders;
mod messages;
mod providers;
mod send;
mod sign_in_links;
mod submissions;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    routing::{get, post},
};

use crate::{http::problem::Problem, state::AppState};

/// No request but one to send is larger.
const MAX_REQUEST: usize = 64 * 1024;

pub(crate) fn router(state: &AppState) -> Router<AppState> {
    // Base64 takes a third more, JSON and headers a little.
    let max_send = state.settings().max_message_bytes / 3 * 4 + MAX_REQUEST;
    let send = Router::new()
        .route("/v1/accounts/{id}/send", post(send::send))
        .layer(DefaultBodyLimit::max(max_send));
    Router::new()
        .route("/v1/accounts", get(accounts::list).post(accounts::create))
        .route("/v1/accounts/{id}", get(accounts::show))
        .route("/v1/accounts/{id}/pause", post(accounts::pause))
        .route("/v1/accounts/{id}/resume", post(accounts::resume))
        .route("/v1/accounts/{id}/disconnect", post(accounts::disconnect))
        .route("/v1/accounts/{id}/reconnect", post(accounts::reconnect))
        .route("/v1/accounts/{id}/sync", post(accounts::sync))
        .route("/v1/accounts/{id}/folders", get(folders::list))
        .route("/v1/accounts/{id}/messages", get(messages::list))
        .route("/v1/messages/{id}", get(messages::show))
        .route("/v1/messages/{id}/raw", get(messages::raw))
        .route(
            "/v1/messages/{id}/attachments/{number}",
            get(attachments::download),
        )
        .route("/v1/submissions/{id}", get(submissions::show))
        .route("/v1/events", get(events::list))
        .route("/v1/events/{id}", get(events::show))
        .route("/v1/providers", get(providers::list))
        .route("/v1/discover", get(discover::discover))
        .route("/v1/device-sign-ins/{id}", get(device_sign_ins::show))
        .route("/v1/sign-in-links", post(sign_in_links::create))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/{id}/requeue", post(dead_letters::requeue))
        .route("/v1/dead-letters/{id}/discard", post(dead_letters::discard))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .merge(send)
        .route("/v1/{*rest}", axum::routing::any(unknown_route))
        .method_not_allowed_fallback(wrong_method)
}

async fn unknown_route(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(
        axum::http::StatusCode::NOT_FOUND,
        "route_not_found",
        format!("There is no route {path}. The routes are described in docs/api.md."),
    )
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!(
            "{} cannot be asked with {method}. The routes are described in docs/api.md.",
            uri.path()
        ),
    )
}
