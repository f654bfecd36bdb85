//! account-manager: the HTTP API and the pages; owns accounts.
//!
//! One use case is one function that API and pages share: [`connect`] checks, proves and keeps; `accounts` pauses, resumes
//! and disconnects; `oauth` sends people to their identity provider and takes them back. `api` and `pages` only
//! translate.
//!
//! Invariants: nothing of an account is kept before its way in was proved, but that an administrator has to approve it; whoever asks for something that belongs to
//! somebody else learns no more than that it is not there; no page loads anything from elsewhere.

mod accounts;
mod api;
mod attempts;
pub mod connect;
mod download;
mod handler;
mod housekeeping;
mod http;
mod links;
mod oauth;
mod pace;
mod pages;
mod paging;
mod return_url;
mod service;
mod state;

use axum::{Router, extract::Request, middleware::Next};

pub use http::problem::{FieldProblem, Problem};
pub use links::{MadeLink, make as make_sign_in_link};
pub use service::{run, state_of};
pub use state::{AppState, Components, ManagerSettings};

/// API and pages, ready to be served.
pub fn router(state: AppState) -> Router {
    let limit = state.settings().request_time;
    api::router(&state)
        .merge(pages::router())
        .fallback(unknown_page)
        .layer(axum::middleware::from_fn(move |request: Request, next: Next| {
            http::request::wrap(limit, request, next)
        }))
        .with_state(state)
}

async fn unknown_page(uri: axum::http::Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new(
        axum::http::StatusCode::NOT_FOUND,
        "page_not_found",
        format!("There is nothing at {path}. Your email accounts are at /accounts."),
    )
}
