//! From templates to answers, with the headers that every page carries.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use postroom_store::StoreError;

use super::{assets, session::Person};
use crate::{http::problem::Problem, state::AppState};

/// Nothing from elsewhere, nothing inline, no frames around us; the sandboxed frame of a mail inherits it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the frame around every page shows.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// The person, when one is signed in.
    pub(super) user_ref: Option<String>,
    pub(super) csrf: String,
    /// Changes with the style sheet and the script, so that browsers may keep them.
    pub(super) version: &'static str,
    /// Where the browser goes by itself.
    pub(super) refresh: Option<String>,
    /// Whether the person came by a link of a CRM and can go back there.
    pub(super) returns: bool,
}

impl Frame {
    pub(super) fn of(person: &Person, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            user_ref: Some(person.session().user_ref.clone()),
            csrf: person.session().csrf_token.clone(),
            version: assets::version(),
            refresh: None,
            returns: person.session().return_url.is_some(),
        }
    }

    fn for_strangers(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            user_ref: None,
            csrf: String::new(),
            version: assets::version(),
            refresh: None,
            returns: false,
        }
    }
}

/// A page with a message and at most one way on.
#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    frame: Frame,
    heading: String,
    sentence: String,
    link: Option<Link>,
}

/// A link with its words.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) href: String,
    pub(super) words: String,
}

/// A page.
pub(super) fn page(state: &AppState, status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let mut response = (status, Html(html)).into_response();
            add_headers(state, &mut response);
            response
        }
        Err(error) => {
            tracing::error!(%error, "A page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn add_headers(state: &AppState, response: &mut Response) {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=()",
    );
    if state.settings().is_https() {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// On to another of our own pages.
pub(super) fn go(path: &str) -> Response {
    let mut response = Redirect::to(path).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What somebody without a session sees.
pub(super) fn entrance(state: &AppState) -> Response {
    notice(
        state,
        None,
        StatusCode::UNAUTHORIZED,
        "Enter by your link",
        "Your email accounts open by a one-time link. Open the link that your CRM shows you, or the one that Postroom prints \
         when it starts. A link works once; ask for a new one if yours was used.",
        None,
    )
}

/// A page that says what happened.
pub(super) fn notice(
    state: &AppState,
    person: Option<&Person>,
    status: StatusCode,
    heading: &str,
    sentence: &str,
    link: Option<Link>,
) -> Response {
    let frame = match person {
        Some(person) => Frame::of(person, heading),
        None => Frame::for_strangers(heading),
    };
    let notice = Notice {
        frame,
        heading: heading.to_owned(),
        sentence: sentence.to_owned(),
        link,
    };
    page(state, status, &notice)
}

/// A problem as a page.
pub(super) fn problem(state: &AppState, person: Option<&Person>, problem: &Problem) -> Response {
    let link = person.map(|_| to_accounts());
    notice(
        state,
        person,
        problem.status(),
        "This did not work",
        problem.detail(),
        link,
    )
}

/// A fault of the store as a page; what is not there and what is somebody else's look the same.
pub(super) fn store_error(state: &AppState, person: &Person, error: StoreError) -> Response {
    match error {
        StoreError::NotFound { what, .. } => missing(state, person, what),
        other => problem(state, Some(person), &other.into()),
    }
}

pub(super) fn missing(state: &AppState, person: &Person, what: &str) -> Response {
    let sentence = format!(
        "There is no such {what} among yours. It may have been disconnected, or the address is wrong."
    );
    let link = Some(to_accounts());
    notice(
        state,
        Some(person),
        StatusCode::NOT_FOUND,
        "Not found",
        &sentence,
        link,
    )
}

pub(super) fn to_accounts() -> Link {
    Link {
        href: "/accounts".to_owned(),
        words: "Back to your email accounts".to_owned(),
    }
}
