//! What handlers take from a request, with problems instead of axum's plain-text rejections.

use std::str::FromStr;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use postroom_crypto::TokenDigest;
use postroom_events::TenantId;
use postroom_store::tenants;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};

use super::problem::Problem;
use crate::state::AppState;

/// The tenant that an API key belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiTenant(pub(crate) TenantId);

impl FromRequestParts<AppState> for ApiTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let refused = |code: &'static str, detail: &str| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
        let key = bearer(&parts.headers).ok_or_else(|| {
            refused(
                "api_key_missing",
                "The request carries no API key. Send it as `Authorization: Bearer KEY`.",
            )
        })?;
        let key = tenants::api_key(state.store().read(), &TokenDigest::of(key))
            .await?
            .ok_or_else(|| {
                refused(
                    "api_key_unknown",
                    "This API key is not known or was revoked. Check that it was copied whole, or ask the operator for \
                     a new one.",
                )
            })?;
        tracing::Span::current().record("tenant.id", tracing::field::display(key.tenant_id));
        Ok(Self(key.tenant_id))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// A JSON body.
#[derive(Debug)]
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(unread)?;
        read_json(&body).map(Self)
    }
}

fn unread(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "request_too_large",
            "The request is larger than this route takes. Send less, or smaller attachments.",
        );
    }
    Problem::bad_request(
        "body_unreadable",
        "The body of the request did not arrive whole. Send it again.",
    )
}

/// Reads JSON; a fault names the field and never repeats a secret's value.
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            return Problem::bad_request(
                "invalid_json",
                format!(
                    "The body is not JSON: it breaks at line {}, column {}. Send a JSON object.",
                    inner.line(),
                    inner.column()
                ),
            );
        }
        if field.ends_with("password") {
            return Problem::bad_request("invalid_field", "The password must be a JSON string.").at(field);
        }
        let problem = Problem::bad_request("invalid_field", sentence(&inner.to_string()));
        if field == "." { problem } else { problem.at(field) }
    })?;
    json.end().map_err(|_| {
        Problem::bad_request(
            "invalid_json",
            "Something follows the JSON object. Send one object and nothing else.",
        )
    })?;
    Ok(value)
}

/// serde's words as a sentence, without the position, which means little to who built the JSON by program.
fn sentence(words: &str) -> String {
    let words = words.split(" at line ").next().unwrap_or(words);
    format!("The request does not fit: {words}.")
}

/// A text in a request that does not print.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "String")]
pub(crate) struct SecretText(pub(crate) SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The query of a URL.
#[derive(Debug)]
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let words = rejection.body_text();
                let words = words
                    .rsplit_once("query string: ")
                    .map_or(words.as_str(), |(_, rest)| rest);
                Err(Problem::bad_request(
                    "invalid_query",
                    format!("The query of the URL does not fit: {words}."),
                ))
            }
        }
    }
}

/// The one id in a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiId<I>(pub(crate) I);

impl<S: Send + Sync, I: FromStr> FromRequestParts<S> for ApiId<I> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| invalid_id("id"))?;
        parse_id(&text, "id").map(Self)
    }
}

/// An id out of a path or a query.
pub(crate) fn parse_id<I: FromStr>(text: &str, field: &str) -> Result<I, Problem> {
    text.parse().map_err(|_| invalid_id(field))
}

fn invalid_id(field: &str) -> Problem {
    Problem::bad_request(
        "invalid_id",
        format!("The {field} in the URL is not an id. Ids look like 01935f0e-7a3c-7bd2-9c41-6a1f6b0d2c11."),
    )
    .at(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        server: Server,
        #[serde(default)]
        password: String,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Server {
        port: u16,
    }

    #[test]
    fn a_fault_names_its_field() {
        let problem = read_json::<Sample>(br#"{"server":{"port":"x"}}"#).unwrap_err();
        let shown = format!("{problem:?}");
        assert!(
            shown.contains("server.port") && shown.contains("invalid_field"),
            "{shown}"
        );
        let problem = read_json::<Sample>(br#"{"server":{"port":1},"pasword":""}"#).unwrap_err();
        assert!(problem.detail().contains("pasword"), "{problem:?}");
        let problem = read_json::<Sample>(b"{").unwrap_err();
        assert_eq!(problem.code(), "invalid_json");
        let problem = read_json::<Sample>(br#"{"server":{"port":1}} x"#).unwrap_err();
        assert_eq!(problem.code(), "invalid_json");
    }

    #[test]
    fn a_password_is_never_repeated() {
        let problem = read_json::<Sample>(br#"{"server":{"port":1},"password":4711}"#).unwrap_err();
        assert!(!format!("{problem:?}").contains("4711"), "{problem:?}");
    }
}
