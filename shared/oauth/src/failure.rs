//! What can go wrong below OAuth: the network and the form of an answer.

use std::error::Error as _;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::causes::Cause;
use crate::jwt::Unsigned;
use crate::meanings::by_phrase;

/// How a request to an identity provider failed. It holds no URL (codes travel in query strings), no body, no header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpFailure {
    /// No connection, or it broke.
    #[error("no connection")]
    Unreachable,
    /// The time for one request is over.
    #[error("timed out")]
    TimedOut,
    /// The certificate is not trusted.
    #[error("certificate not trusted")]
    Untrusted,
    /// The URL is neither https nor an allowed loopback address.
    #[error("address not allowed")]
    NotAllowed,
    /// Our own key did not sign.
    #[error("not signed")]
    Unsigned,
    /// A success, but not in JSON, or too large.
    #[error("not a JSON answer")]
    NotJson,
    /// Any other status than success; a redirect is one too.
    #[error("refused with status {status}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// `Retry-After`.
        retry_after: Option<Duration>,
        /// What the body says, if it is OAuth's error form.
        answer: ErrorAnswer,
    },
}

impl HttpFailure {
    /// Whether it was the proof of who we are that was refused. Microsoft says `invalid_client` for it; that and the
    /// status are what RFC 6749 section 5.2 asks for.
    pub(crate) fn refuses_the_client(&self) -> bool {
        matches!(
            self,
            Self::Refused { status, answer, .. }
                if status.is_client_error() && answer.error.as_deref() == Some("invalid_client")
        )
    }
}

impl From<Unsigned> for HttpFailure {
    fn from(_: Unsigned) -> Self {
        Self::Unsigned
    }
}

/// The parts of an error answer that decide (RFC 6749 section 5.2, and the additions of Microsoft and Google).
/// Its text is read for a number or a known phrase, and dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorAnswer {
    pub(crate) error: Option<String>,
    pub(crate) suberror: Option<String>,
    pub(crate) claims: Option<String>,
    pub(crate) aadsts: Option<u32>,
    /// What a phrase in the text hints at.
    pub(crate) phrase: Option<&'static Cause>,
}

#[derive(Deserialize)]
struct Body {
    error: String,
    #[serde(default, alias = "error_subtype")]
    suberror: Option<String>,
    #[serde(default)]
    claims: Option<String>,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    error_description: Option<String>,
}

/// A claims challenge is a small JSON object that is passed back to the provider.
const MAX_CLAIMS: usize = 4096;

impl ErrorAnswer {
    /// Reads a body; empty if it is not of OAuth's form.
    pub(crate) fn from_body(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return Self::default();
        };
        let number = body.error_codes.first().copied();
        let description = body.error_description.as_deref();
        Self {
            error: Some(body.error),
            suberror: body.suberror.filter(|suberror| !suberror.is_empty()),
            claims: body
                .claims
                .filter(|claims| !claims.is_empty() && claims.len() <= MAX_CLAIMS),
            aadsts: number.or_else(|| description.and_then(aadsts_number)),
            phrase: description.and_then(by_phrase),
        }
    }
}

/// The number in `AADSTS50076: Due to a configuration change ...`.
pub(crate) fn aadsts_number(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("AADSTS")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

impl From<reqwest::Error> for HttpFailure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::TimedOut;
        }
        let mut cause = error.source();
        while let Some(inner) = cause {
            // rustls gives no other way through reqwest and hyper than its words
            if inner.to_string().contains("invalid peer certificate") {
                return Self::Untrusted;
            }
            cause = inner.source();
        }
        Self::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_answer_is_reduced_to_what_decides() {
        let body =
            br#"{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired.",
            "error_codes":[700082],"suberror":"bad_token","claims":"{\"access_token\":{}}"}"#;
        let answer = ErrorAnswer::from_body(body);
        assert_eq!(answer.error.as_deref(), Some("invalid_grant"));
        assert_eq!(answer.suberror.as_deref(), Some("bad_token"));
        assert_eq!(answer.aadsts, Some(700082));
        assert_eq!(answer.claims.as_deref(), Some(r#"{"access_token":{}}"#));
        let google = ErrorAnswer::from_body(br#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#);
        assert_eq!(google.suberror.as_deref(), Some("invalid_rapt"));
        for odd in [&b"<html>"[..], b"", b"[]", b"{\"error\":{\"code\":400}}", b"null"] {
            assert_eq!(ErrorAnswer::from_body(odd), ErrorAnswer::default());
        }
    }

    #[test]
    fn a_number_is_found_in_the_text() {
        assert_eq!(aadsts_number("AADSTS65004: User declined"), Some(65004));
        assert_eq!(aadsts_number("error AADSTS: none"), None);
        assert_eq!(aadsts_number("AADSTS99999999999: too long"), None);
        assert_eq!(aadsts_number("Token has been expired or revoked."), None);
    }
}
