//! What a token endpoint gives.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, StandardTokenResponse, TokenResponse as _};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::causes::{ANSWER_NOT_UNDERSTOOD, Cause};
use crate::id_token::Identity;

/// Tokens, ready to be sealed and used.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Opens the mailbox.
    pub access_token: SecretString,
    /// How long, counted from when the answer came; an hour if the provider does not say.
    pub expires_in: Duration,
    /// Gets the next access token. `None` at a refresh: the old one stays; at a code exchange: there is none, nor is
    /// there one with a token that was [obtained](crate::IdentityProvider::obtain).
    pub refresh_token: Option<SecretString>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// What was asked for and not granted, as when a person leaves a box unticked.
    pub missing_scopes: Vec<String>,
    /// Who signed in; from a code exchange where the provider offers it.
    pub identity: Option<Identity>,
}

/// RFC 6749 section 5.1 leaves it open; an hour is what nearly all providers give.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// The addition of OpenID Connect.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct OpenIdFields {
    #[serde(default)]
    pub(crate) id_token: Option<String>,
}

impl std::fmt::Debug for OpenIdFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenIdFields")
    }
}

impl ExtraTokenFields for OpenIdFields {}

pub(crate) type TokenAnswer = StandardTokenResponse<OpenIdFields, BasicTokenType>;

impl Tokens {
    /// A token that somebody else has got for us. `None` if it cannot be one.
    pub(crate) fn access_alone(access_token: &str, expires_in: Duration) -> Option<Self> {
        Some(Self {
            access_token: token(access_token).ok()?,
            expires_in,
            refresh_token: None,
            scopes: Vec::new(),
            missing_scopes: Vec::new(),
            identity: None,
        })
    }

    /// Checks and takes over an answer. `asked` are the scopes of the request, which count as granted when the
    /// answer names none.
    pub(crate) fn from_answer(answer: &TokenAnswer, asked: &[String]) -> Result<Self, Cause> {
        let scopes: Vec<String> = match answer.scopes() {
            Some(scopes) => scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            None => asked.to_vec(),
        };
        let refresh_token = answer.refresh_token().map(|token| token.secret().as_str());
        Ok(Self {
            access_token: token(answer.access_token().secret())?,
            expires_in: answer.expires_in().unwrap_or(DEFAULT_LIFETIME),
            refresh_token: refresh_token
                .filter(|text| !text.is_empty())
                .map(token)
                .transpose()?,
            missing_scopes: missing(asked, &scopes),
            scopes,
            identity: None,
        })
    }
}

/// A token is visible ASCII (RFC 6749 appendix A.12 and A.17). It is put into IMAP, SMTP and HTTP, where anything
/// else could become a command or a header.
fn token(text: &str) -> Result<SecretString, Cause> {
    let visible = !text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if visible {
        Ok(text.into())
    } else {
        Err(ANSWER_NOT_UNDERSTOOD)
    }
}

/// Providers leave the scopes of OpenID Connect out of their answers, and change the case of others.
fn missing(asked: &[String], granted: &[String]) -> Vec<String> {
    let openid = |scope: &str| matches!(scope, "openid" | "email" | "profile" | "offline_access");
    let given = |scope: &str| granted.iter().any(|granted| granted.eq_ignore_ascii_case(scope));
    asked
        .iter()
        .filter(|scope| !openid(scope) && !given(scope))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(json: &str) -> Result<Tokens, Cause> {
        let asked = [
            "openid",
            "offline_access",
            "https://mail.example/IMAP",
            "https://mail.example/SMTP",
        ];
        Tokens::from_answer(&serde_json::from_str(json).unwrap(), &asked.map(str::to_owned))
    }

    #[test]
    fn an_answer_is_taken_over() {
        let tokens = read(
            r#"{"access_token":"at","token_type":"Bearer","expires_in":60,"refresh_token":"rt","id_token":"x.y.z",
                "scope":"https://mail.example/imap"}"#,
        )
        .unwrap();
        assert_eq!(tokens.access_token.expose_secret(), "at");
        assert_eq!(tokens.refresh_token.unwrap().expose_secret(), "rt");
        assert_eq!(tokens.expires_in, Duration::from_secs(60));
        assert_eq!(tokens.missing_scopes, ["https://mail.example/SMTP"]);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let tokens = read(r#"{"access_token":"at","token_type":"bearer","refresh_token":""}"#).unwrap();
        assert_eq!(tokens.expires_in, DEFAULT_LIFETIME);
        assert!(tokens.refresh_token.is_none() && tokens.missing_scopes.is_empty());
    }

    #[test]
    fn a_token_that_could_become_a_command_is_refused() {
        for bad in ["", "a\\r\\nb", "a\\u0001b", "a\\u00e9b"] {
            assert!(
                read(&format!(r#"{{"access_token":"{bad}","token_type":"Bearer"}}"#)).is_err(),
                "{bad}"
            );
        }
        assert!(read(r#"{"access_token":"at","token_type":"Bearer","refresh_token":"a\u0000"}"#).is_err());
    }

    #[test]
    fn nothing_of_it_prints() {
        let json =
            r#"{"access_token":"canary","token_type":"Bearer","refresh_token":"canary","id_token":"canary"}"#;
        let answer: TokenAnswer = serde_json::from_str(json).unwrap();
        let printed = format!("{answer:?} {:?}", read(json).unwrap());
        assert!(!printed.contains("canary"), "{printed}");
    }
}
