//! The pages a person uses: rendered here, no third-party requests, no inline script, usable without any script.
//!
//! A person enters by a one-time link and sees only their own accounts. Every form carries the session's CSRF token.

mod account;
mod accounts;
mod add;
mod approve;
mod assets;
mod callback;
mod connect_link;
mod cookie;
mod enter;
mod folder_list;
mod form;
mod format;
mod mail;
mod message_list;
mod reading;
mod render;
mod returning;
mod session;
mod settings;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use crate::state::AppState;

/// No form is larger.
const MAX_FORM: usize = 256 * 1024;

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(enter::start))
        .route("/enter/{token}", get(enter::enter))
        .route("/leave", post(enter::leave))
        .route("/return", get(returning::back))
        .route("/approve/{token}", get(approve::open))
        .route("/oauth/admin-consent", get(approve::answered))
        .route("/accounts", get(accounts::list))
        .route("/accounts/add", get(add::show).post(add::submit))
        .route("/accounts/preset", get(add::preset))
        .route(
            "/accounts/continue/{id}",
            get(connect_link::show).post(connect_link::submit),
        )
        .route("/accounts/{id}", get(account::show))
        .route("/accounts/{id}/reconnect", post(account::reconnect))
        .route("/accounts/{id}/settings", post(settings::submit))
        .route("/accounts/{id}/pause", post(account::pause))
        .route("/accounts/{id}/resume", post(account::resume))
        .route(
            "/accounts/{id}/disconnect",
            get(account::ask_disconnect).post(account::disconnect),
        )
        .route("/accounts/{id}/messages", get(mail::list))
        .route("/messages/{id}", get(reading::show))
        .route("/messages/{id}/attachments/{number}", get(reading::attachment))
        .route("/oauth/callback", get(callback::callback))
        .route("/assets/{name}", get(assets::asset))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}
