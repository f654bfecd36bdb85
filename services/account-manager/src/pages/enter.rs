//! Entering by a one-time link, and leaving.

use axum::{
    extract::{Path, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use postroom_crypto::{TokenDigest, new_token};
use postroom_store::{
    SignInLink,
    sessions::{self, LinkUse},
};
use secrecy::ExposeSecret;

use super::{cookie, form::SentForm, render, session::Person};
use crate::{http::problem::Problem, state::AppState};

/// `GET /`: on to the accounts, or to the entrance.
pub(super) async fn start(_: Person) -> Response {
    render::go("/accounts")
}

/// `GET /enter/{token}`: a good link becomes a session of this browser.
pub(super) async fn enter(
    State(state): State<AppState>,
    method: Method,
    Path(token): Path<String>,
) -> Response {
    // Programs that look at links before people do ask with HEAD; that must not use a link up.
    if method == Method::HEAD {
        return StatusCode::NO_CONTENT.into_response();
    }
    match let_in(&state, &TokenDigest::of(&token)).await {
        Ok(response) => response,
        Err(problem) => render::problem(&state, None, &problem),
    }
}

async fn let_in(state: &AppState, digest: &TokenDigest) -> Result<Response, Problem> {
    let tx = state.store().begin("web_session.enter").await?;
    let (heading, sentence) = match sessions::use_link(&tx, digest).await? {
        LinkUse::Entered(link) => {
            let (token, digest) = new_token("").map_err(|_| Problem::internal())?;
            let (csrf, _) = new_token("").map_err(|_| Problem::internal())?;
            let session = sessions::start(
                &tx,
                link.tenant_id,
                &link.user_ref,
                digest,
                csrf.expose_secret().to_owned(),
                state.settings().session_lifetime,
            )
            .await?;
            sessions::bind(&tx, session.id, &link).await?;
            tx.commit().await?;
            let mut response = render::go(&target(&link));
            let cookie = cookie::set(&token, state.settings());
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            return Ok(response);
        }
        LinkUse::UsedBefore => (
            "This link was used already",
            "A link lets one browser in, once. If that was you, go on in the browser where you opened it; otherwise ask \
             for a new link.",
        ),
        LinkUse::Expired => (
            "This link has expired",
            "Links are good for a short time only. Ask for a new one where you got this one.",
        ),
        LinkUse::Unknown => (
            "This link is not known",
            "It may not have been copied whole. Open it again from where you got it, or ask for a new one.",
        ),
    };
    Ok(render::notice(
        state,
        None,
        StatusCode::UNAUTHORIZED,
        heading,
        sentence,
        None,
    ))
}

fn target(link: &SignInLink) -> String {
    let for_connecting = link.expected_address.is_some() || link.return_url.is_some();
    match link.draft {
        Some(_) => format!("/accounts/continue/{}", link.id),
        None if for_connecting => "/accounts/add".to_owned(),
        None => "/accounts".to_owned(),
    }
}

/// `POST /leave`: ends the session.
pub(super) async fn leave(State(state): State<AppState>, form: SentForm) -> Response {
    let ended = async {
        let tx = state.store().begin("web_session.leave").await?;
        sessions::end(&tx, form.person.session().id).await?;
        tx.commit().await
    };
    if let Err(error) = ended.await {
        return render::problem(&state, Some(&form.person), &error.into());
    }
    let mut response = render::notice(
        &state,
        None,
        StatusCode::OK,
        "You have left",
        "This browser is signed out. Enter again by a new link.",
        None,
    );
    let cookie = cookie::clear(state.settings());
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
