//! `/accounts/continue/{id}`: where a link that a CRM made for one mailbox leads. The person sees what is about to be
//! connected, and to whom, before anything begins.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use postroom_store::sessions;

use super::{
    add::{self, Entered, Problems},
    form::SentForm,
    render::{self, Frame},
    session::Person,
};
use crate::{connect::draft::ConnectDraft, oauth, state::AppState};

#[derive(Template)]
#[template(path = "continue.html")]
struct ContinuePage {
    frame: Frame,
    id: String,
    address: String,
    again: bool,
}

async fn draft_of(state: &AppState, person: &Person, id: &str) -> Result<ConnectDraft, Response> {
    let gone = || {
        let sentence = "This link led to a mailbox that was to be connected, and its time is over. Add the account by hand, \
                        or ask for a new link.";
        let link = Some(render::to_accounts());
        render::notice(
            state,
            Some(person),
            StatusCode::NOT_FOUND,
            "This link is over",
            sentence,
            link,
        )
    };
    let id = id.parse().map_err(|_| gone())?;
    let draft = sessions::draft_of_link(state.store(), person.session(), id)
        .await
        .map_err(|_| gone())?;
    serde_json::from_value(draft).map_err(|_| gone())
}

/// `GET /accounts/continue/{id}`
pub(super) async fn show(State(state): State<AppState>, person: Person, Path(id): Path<String>) -> Response {
    let draft = match draft_of(&state, &person, &id).await {
        Ok(draft) => draft,
        Err(response) => return response,
    };
    let page = ContinuePage {
        frame: Frame::of(&person, "Connect your mailbox"),
        id,
        address: draft.address,
        again: draft.account_id.is_some(),
    };
    render::page(&state, StatusCode::OK, &page)
}

/// `POST /accounts/continue/{id}`
pub(super) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    form: SentForm,
) -> Response {
    let draft = match draft_of(&state, &form.person, &id).await {
        Ok(draft) => draft,
        Err(response) => return response,
    };
    match oauth::begin(&state, form.person.session(), &draft).await {
        Ok(started) => add::leave(&state, &form.person, started),
        Err(problem) => {
            let (status, problems) = (problem.status(), Problems::of(&problem));
            add::form(&state, &form.person, status, Entered::of_draft(&draft), problems)
        }
    }
}
