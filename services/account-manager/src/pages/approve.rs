//! `/approve/{token}`: the link that a person passes on to an administrator; and the page where the administrator comes back.
//! Whoever has the link may open it, so neither says whose mailbox waits.

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};

use super::render;
use crate::{
    http::{problem::Problem, request::Correlation},
    oauth::{self, ApprovalAnswer},
    state::AppState,
};

/// `GET /approve/{token}`: on to the provider's page.
pub(super) async fn open(
    State(state): State<AppState>,
    method: Method,
    Path(token): Path<String>,
) -> Response {
    // Programs that look at links before people do ask with HEAD.
    if method == Method::HEAD {
        return StatusCode::NO_CONTENT.into_response();
    }
    match oauth::approval_page(&state, &token).await {
        Ok(Some(url)) => render::go(url.as_str()),
        Ok(None) => say(
            &state,
            StatusCode::NOT_FOUND,
            "There is no page for this approval",
            "The identity provider has no page where it is given. Allow this application in the administration of your \
             organization there, and tell the person who sent you this link.",
        ),
        Err(problem) => refused(&state, &problem),
    }
}

/// `GET /oauth/admin-consent`: the administrator comes back from the provider.
pub(super) async fn answered(
    State(state): State<AppState>,
    correlation: Correlation,
    answer: Result<Query<ApprovalAnswer>, QueryRejection>,
) -> Response {
    let Ok(Query(answer)) = answer else {
        return refused(
            &state,
            &Problem::bad_request("answer_unreadable", "The answer could not be read."),
        );
    };
    match oauth::approved(&state, |tenant| correlation.metadata(tenant), &answer).await {
        Ok(()) => say(
            &state,
            StatusCode::OK,
            "Approved",
            "Thank you. The person who sent you the link can connect the mailbox now. You can close this page.",
        ),
        Err(problem) => refused(&state, &problem),
    }
}

/// A link or an answer that is not known may have been used, too old, or replaced by a newer one: all the same to a stranger.
fn refused(state: &AppState, problem: &Problem) -> Response {
    let over = "This link is over, or its answer was given already. Ask the person who sent it to you for the present one, \
                and open that.";
    let (status, sentence) = match problem.status() {
        StatusCode::NOT_FOUND => (StatusCode::NOT_FOUND, over),
        status => (status, problem.detail()),
    };
    say(state, status, "Not approved", sentence)
}

fn say(state: &AppState, status: StatusCode, heading: &str, sentence: &str) -> Response {
    render::notice(state, None, status, heading, sentence, None)
}
