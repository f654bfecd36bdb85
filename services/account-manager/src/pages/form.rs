//! A form that was sent from one of our own pages.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::StatusCode,
    response::Response,
};
use postroom_crypto::TokenDigest;
use secrecy::SecretString;
use url::form_urlencoded;

use super::{render, session::Person};
use crate::{http::problem::Problem, state::AppState};

/// The fields of a form whose CSRF token is that of the session.
pub(super) struct SentForm {
    pub(super) person: Person,
    fields: HashMap<String, String>,
}

impl SentForm {
    /// A field; empty when it was not sent.
    pub(super) fn text(&self, name: &str) -> String {
        self.fields.get(name).cloned().unwrap_or_default()
    }

    /// A field that does not print.
    pub(super) fn secret(&self, name: &str) -> SecretString {
        self.text(name).into()
    }

    /// Whether a box was ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }
}

impl FromRequest<AppState> for SentForm {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let person = Person::from_request_parts(&mut parts, state).await?;
        let foreign = parts
            .headers
            .get("sec-fetch-site")
            .is_some_and(|site| site == "cross-site");
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, state).await.map_err(|_| {
            let problem =
                Problem::bad_request("form_unreadable", "The form did not arrive whole. Send it again.");
            render::problem(state, Some(&person), &problem)
        })?;
        let fields: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
        let sent = fields.get("csrf").map(String::as_str).unwrap_or_default();
        // Compared as digests: the time it takes says nothing about the token.
        if foreign || !TokenDigest::of(&person.session().csrf_token).matches(sent) {
            let problem = Problem::new(
                StatusCode::FORBIDDEN,
                "form_outdated",
                "This form is from an older session or from another site, so nothing was done. Open the page again and \
                 repeat.",
            );
            return Err(render::problem(state, Some(&person), &problem));
        }
        Ok(Self { person, fields })
    }
}
