//! `GET /oauth/callback`: the person comes back from the identity provider.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};

use super::{
    account::render_account,
    add::{self, Entered, Problems, ShownProblem},
    render, returning,
    session::Person,
};
use crate::{
    http::request::Correlation,
    oauth::{self, Answer, Refusal},
    state::AppState,
};

pub(super) async fn callback(
    State(state): State<AppState>,
    person: Result<Person, Response>,
    correlation: Correlation,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let Ok(person) = person else {
        return render::notice(
            &state,
            None,
            StatusCode::UNAUTHORIZED,
            "This sign-in was begun elsewhere",
            "This browser is not the one in which the sign-in was begun, or its session has ended, so the answer is not \
             accepted. Enter by a new link and start again.",
            None,
        );
    };
    let Ok(Query(answer)) = answer else {
        let sentence =
            "The identity provider's answer could not be read. Start again from your email accounts.";
        let link = Some(render::to_accounts());
        return render::notice(
            &state,
            Some(&person),
            StatusCode::BAD_REQUEST,
            "Not connected",
            sentence,
            link,
        );
    };
    let metadata = correlation.metadata(person.session().tenant_id);
    match oauth::finish(&state, person.session(), &metadata, answer).await {
        Ok(finished) => {
            let done = if finished.again {
                "reconnected"
            } else {
                "connected"
            };
            render::go(&returning::after(&person, finished.account.id, done))
        }
        Err(refusal) => {
            tracing::info!(
                cause = refusal.code,
                "A sign-in by OAuth did not lead to an account"
            );
            match (refusal.waiting, &refusal.draft) {
                // A new account that waits: its page says for what, and has the link to pass on.
                (Some(id), Some(draft)) if draft.account_id.is_none() => {
                    render::go(&format!("/accounts/{id}"))
                }
                _ => refused(&state, &person, refusal).await,
            }
        }
    }
}

/// The form that the sign-in was begun from, with the reason and the button to start again; a page with the reason where
/// it is not known what was to be connected.
async fn refused(state: &AppState, person: &Person, refusal: Refusal) -> Response {
    let Some(draft) = refusal.draft else {
        let link = Some(render::to_accounts());
        let status = StatusCode::BAD_REQUEST;
        return render::notice(
            state,
            Some(person),
            status,
            "Not connected",
            &refusal.sentence,
            link,
        );
    };
    let mut problems = Problems::fields(&refusal.problems);
    if problems.all.is_empty() {
        problems.all.push(ShownProblem {
            input: String::new(),
            code: refusal.code,
            detail: refusal.sentence,
            help: None,
        });
    }
    let entered = Entered::of_draft(&draft);
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    if let Some(id) = draft.account_id
        && let Ok(account) = person.account(state, &id.to_string()).await
    {
        return render_account(state, person, status, account, Some(entered), problems, None).await;
    }
    add::form(state, person, status, entered, problems)
}
