//! `/return`: back to the CRM that sent the person here, with what came of it.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use postroom_events::AccountId;
use serde::Deserialize;

use super::{
    render::{self, Frame},
    session::Person,
};
use crate::{return_url, state::AppState};

/// Not a redirect: a form that is redirected to another site is stopped by `form-action`.
#[derive(Template)]
#[template(path = "returning.html")]
struct ReturningPage {
    frame: Frame,
    url: String,
}

/// The query of `GET /return`.
#[derive(Debug, Deserialize)]
pub(super) struct ReturnQuery {
    /// The account that was connected; without it the person gives up.
    account: Option<String>,
}

/// Where a person goes after an account was connected: back, if a CRM sent them.
pub(super) fn after(person: &Person, account_id: AccountId, done: &str) -> String {
    match person.session().return_url {
        Some(_) => format!("/return?account={account_id}"),
        None => format!("/accounts/{account_id}?done={done}"),
    }
}

/// `GET /return`
pub(super) async fn back(
    State(state): State<AppState>,
    person: Person,
    Query(query): Query<ReturnQuery>,
) -> Response {
    let account_id = match query.account {
        None => None,
        Some(id) => match person.account(&state, &id).await {
            Ok(account) => Some(account.id.to_string()),
            Err(response) => return response,
        },
    };
    let status = match account_id {
        Some(_) => "connected",
        None => "cancelled",
    };
    let stored = person.session().return_url.as_deref();
    let url = stored.and_then(|url| return_url::with_result(url, status, account_id.as_deref()));
    let Some(url) = url.map(String::from) else {
        return render::go("/accounts");
    };
    let page = ReturningPage {
        frame: Frame {
            refresh: Some(url.clone()),
            ..Frame::of(&person, "Back")
        },
        url,
    };
    render::page(&state, StatusCode::OK, &page)
}
