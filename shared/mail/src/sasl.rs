//! Signing in: what a client says in a SASL exchange (RFC 4422), the same for IMAP and SMTP.
//!
//! Everything that carries a secret is a [`SecretString`]: it cannot be printed and is wiped when dropped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::net::HostName;

/// The longest challenge that is looked at, in base64 characters.
const MAX_CHALLENGE: usize = 16 * 1024;
/// The longest value kept out of a challenge, in characters.
const MAX_VALUE: usize = 500;

/// Who signs in, and with what.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// A password or an app password.
    Password {
        /// The user name as the server knows it.
        login: String,
        /// The password.
        secret: SecretString,
    },
    /// An OAuth 2.0 access token.
    OAuth {
        /// The mailbox to open; with a shared mailbox not the person who signed in.
        login: String,
        /// The access token, without `Bearer`.
        access_token: SecretString,
    },
}

/// A way to sign in that this crate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The old two-question form that some servers have as the only one (draft-murchison-sasl-login).
    Login,
    /// Google's and Microsoft's form of OAuth 2.0.
    XOAuth2,
    /// RFC 7628.
    OAuthBearer,
}

/// A login or a secret that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The user name is empty or has a control character in it.
    #[error("The user name is empty or contains a control character. Enter it again.")]
    InvalidLogin,
    /// The secret is empty or has a line break, NUL or another separator in it.
    #[error("The password or token is empty or contains a control character. Enter it again.")]
    InvalidSecret,
    /// The mechanism does not go with what there is to sign in with.
    #[error("The way to sign in does not fit the credential. Choose another one.")]
    WrongMechanism,
}

impl Mechanism {
    /// The name under which servers offer it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// The mechanism that a server offers under `name`, in any case; `None` when it is not known here.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Login, Self::XOAuth2, Self::OAuthBearer]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

impl SignIn {
    /// The user name.
    pub fn login(&self) -> &str {
        match self {
            Self::Password { login, .. } | Self::OAuth { login, .. } => login,
        }
    }

    /// What can be used to sign in, best first. XOAUTH2 before OAUTHBEARER: every provider that has both has had it
    /// for longer, and Microsoft has only this one.
    pub fn mechanisms(&self) -> &'static [Mechanism] {
        match self {
            Self::Password { .. } => &[Mechanism::Plain, Mechanism::Login],
            Self::OAuth { .. } => &[Mechanism::XOAuth2, Mechanism::OAuthBearer],
        }
    }

    /// Begins an exchange with the server at `host` and `port` (OAUTHBEARER says whom it talks to).
    ///
    /// # Errors
    /// When the login or the secret could not be sent without changing its meaning.
    pub fn exchange(
        &self,
        mechanism: Mechanism,
        host: &HostName,
        port: u16,
    ) -> Result<SaslExchange, SaslError> {
        let login = self.login();
        if login.is_empty() || login.chars().any(char::is_control) {
            return Err(SaslError::InvalidLogin);
        }
        let secret = match self {
            Self::Password { secret, .. } => secret.expose_secret(),
            Self::OAuth { access_token, .. } => access_token.expose_secret(),
        };
        let forbidden = |c: char| match self {
            Self::Password { .. } => matches!(c, '\0' | '\r' | '\n'),
            Self::OAuth { .. } => c.is_control() || c == ' ',
        };
        if secret.is_empty() || secret.contains(forbidden) {
            return Err(SaslError::InvalidSecret);
        }
        let answers = match (mechanism, self) {
            (Mechanism::Plain, Self::Password { .. }) => vec![encoded(&["\0", login, "\0", secret])],
            (Mechanism::Login, Self::Password { .. }) => vec![encoded(&[login]), encoded(&[secret])],
            (Mechanism::XOAuth2, Self::OAuth { .. }) => {
                vec![encoded(&["user=", login, "\x01auth=Bearer ", secret, "\x01\x01"])]
            }
            (Mechanism::OAuthBearer, Self::OAuth { .. }) => {
                let name = login.replace('=', "=3D").replace(',', "=2C");
                let whom = format!(",\x01host={host}\x01port={port}\x01auth=Bearer ");
                vec![encoded(&["n,a=", &name, &whom, secret, "\x01\x01"])]
            }
            _ => return Err(SaslError::WrongMechanism),
        };
        let mut waiting = answers;
        waiting.reverse();
        Ok(SaslExchange {
            mechanism,
            waiting,
            refusal: None,
        })
    }
}

/// Base64 of the parts one after the other; no copy of them stays behind in memory.
fn encoded(parts: &[&str]) -> SecretString {
    let mut raw = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        raw.extend_from_slice(part.as_bytes());
    }
    // The exact size, so that neither growing nor boxing leaves a copy behind.
    let mut text = String::with_capacity(raw.len().div_ceil(3) * 4);
    STANDARD.encode_string(&*raw, &mut text);
    SecretString::from(text)
}

/// The client's side of one sign-in. Every line it gives is base64 and ready to be sent.
#[derive(Debug)]
pub struct SaslExchange {
    mechanism: Mechanism,
    /// What is still to be said, last first.
    waiting: Vec<SecretString>,
    refusal: Option<OAuthRefusal>,
}

impl SaslExchange {
    /// The mechanism of this exchange.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What to send together with the command that begins the exchange, where the server takes it (IMAP: SASL-IR;
    /// SMTP: always). `None` for LOGIN, which has no initial response.
    pub fn take_initial(&mut self) -> Option<SecretString> {
        match self.mechanism {
            Mechanism::Login => None,
            _ => self.waiting.pop(),
        }
    }

    /// What to send after a challenge (`+ ...`, `334 ...`); `challenge` is its base64 text, which may be empty or
    /// even no base64. After the last answer, a challenge of an OAuth mechanism is the reason of a refusal: it is
    /// kept for [`SaslExchange::refusal`] and answered so that the server can send its final word.
    pub fn answer(&mut self, challenge: &str) -> SecretString {
        if let Some(next) = self.waiting.pop() {
            return next;
        }
        match self.mechanism {
            Mechanism::XOAuth2 => {
                self.refusal = OAuthRefusal::read(challenge);
                SecretString::from("")
            }
            Mechanism::OAuthBearer => {
                self.refusal = OAuthRefusal::read(challenge);
                // A lone ^A (RFC 7628 section 3.2.3).
                SecretString::from("AQ==")
            }
            // A further question where none is left: give up (RFC 4954 section 4, RFC 9051 section 6.2.2).
            Mechanism::Plain | Mechanism::Login => SecretString::from("*"),
        }
    }

    /// Why an access token was refused, if the server said so.
    pub fn refusal(&self) -> Option<&OAuthRefusal> {
        self.refusal.as_ref()
    }

    /// The same, for keeps.
    pub fn into_refusal(self) -> Option<OAuthRefusal> {
        self.refusal
    }
}

/// The reason that a server gives for refusing an access token (RFC 7628 section 3.2.2; Google's and Microsoft's
/// XOAUTH2 look the same).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OAuthRefusal {
    /// An HTTP status (`401`) or an OAuth error (`invalid_token`).
    #[serde(default, deserialize_with = "short_text")]
    pub status: Option<String>,
    /// The scheme that the server expects.
    #[serde(default, deserialize_with = "short_text")]
    pub schemes: Option<String>,
    /// The scope that the token should have.
    #[serde(default, deserialize_with = "short_text")]
    pub scope: Option<String>,
}

impl OAuthRefusal {
    /// Reads the base64 JSON of a challenge; `None` when it is something else.
    pub fn read(challenge: &str) -> Option<Self> {
        let challenge = challenge.trim();
        if challenge.is_empty() || challenge.len() > MAX_CHALLENGE {
            return None;
        }
        serde_json::from_slice(&STANDARD.decode(challenge).ok()?).ok()
    }
}

/// A text or a number as a short text without control characters; anything else is left out.
fn short_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Number(number) => number.to_string(),
        _ => return Ok(None),
    };
    Ok(Some(
        text.chars().filter(|c| !c.is_control()).take(MAX_VALUE).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostName {
        HostName::parse("imap.example.org").unwrap()
    }

    fn password(login: &str, secret: &str) -> SignIn {
        SignIn::Password {
            login: login.into(),
            secret: secret.into(),
        }
    }

    fn oauth(login: &str, token: &str) -> SignIn {
        SignIn::OAuth {
            login: login.into(),
            access_token: token.into(),
        }
    }

    fn decoded(answer: &SecretString) -> String {
        String::from_utf8(STANDARD.decode(answer.expose_secret()).unwrap()).unwrap()
    }

    #[test]
    fn plain_says_all_at_once() {
        let mut exchange = password("tim", "tanstaaf tanstaaf")
            .exchange(Mechanism::Plain, &host(), 993)
            .unwrap();
        assert_eq!(
            decoded(&exchange.take_initial().unwrap()),
            "\0tim\0tanstaaf tanstaaf"
        );
        assert_eq!(exchange.answer("").expose_secret(), "*");
    }

    #[test]
    fn login_answers_two_questions_and_no_third() {
        let mut exchange = password("tim", "pässword")
            .exchange(Mechanism::Login, &host(), 993)
            .unwrap();
        assert!(exchange.take_initial().is_none());
        assert_eq!(decoded(&exchange.answer("VXNlcm5hbWU6")), "tim");
        assert_eq!(decoded(&exchange.answer("UGFzc3dvcmQ6")), "pässword");
        assert_eq!(exchange.answer("").expose_secret(), "*");
    }

    #[test]
    fn xoauth2_is_the_documented_form_and_keeps_the_reason_of_a_refusal() {
        let mut exchange = oauth("someuser@example.com", "ya29.vF9dft4")
            .exchange(Mechanism::XOAuth2, &host(), 993)
            .unwrap();
        assert_eq!(
            decoded(&exchange.take_initial().unwrap()),
            "user=someuser@example.com\x01auth=Bearer ya29.vF9dft4\x01\x01"
        );
        let challenge = STANDARD.encode(r#"{"status":"401","schemes":"bearer","scope":"mail"}"#);
        assert_eq!(exchange.answer(&challenge).expose_secret(), "");
        let refusal = exchange.refusal().unwrap();
        assert_eq!(refusal.status.as_deref(), Some("401"));
        assert_eq!(refusal.scope.as_deref(), Some("mail"));
    }

    #[test]
    fn oauthbearer_names_the_server_and_escapes_the_login() {
        let mut exchange = oauth("a=b,c", "vF9dft4")
            .exchange(Mechanism::OAuthBearer, &host(), 143)
            .unwrap();
        assert_eq!(
            decoded(&exchange.take_initial().unwrap()),
            "n,a=a=3Db=2Cc,\x01host=imap.example.org\x01port=143\x01auth=Bearer vF9dft4\x01\x01"
        );
        let challenge = STANDARD.encode(r#"{"status":"invalid_token"}"#);
        assert_eq!(exchange.answer(&challenge).expose_secret(), "AQ==");
        assert_eq!(
            exchange.into_refusal().unwrap().status.as_deref(),
            Some("invalid_token")
        );
    }

    #[test]
    fn without_an_initial_response_the_first_challenge_gets_it() {
        let mut exchange = oauth("a", "t")
            .exchange(Mechanism::XOAuth2, &host(), 993)
            .unwrap();
        assert_eq!(decoded(&exchange.answer("")), "user=a\x01auth=Bearer t\x01\x01");
        assert!(exchange.refusal().is_none());
    }

    #[test]
    fn what_would_change_its_meaning_on_the_way_is_not_sent() {
        for login in ["", "a\0b", "a\r\nb", "a\x01auth=Bearer x"] {
            let refused = password(login, "x").exchange(Mechanism::Plain, &host(), 993);
            assert_eq!(refused.unwrap_err(), SaslError::InvalidLogin);
        }
        for secret in ["", "a\0b", "a\nb"] {
            let refused = password("a", secret).exchange(Mechanism::Plain, &host(), 993);
            assert_eq!(refused.unwrap_err(), SaslError::InvalidSecret);
        }
        for token in ["", "a\x01b", "a b"] {
            let refused = oauth("a", token).exchange(Mechanism::XOAuth2, &host(), 993);
            assert_eq!(refused.unwrap_err(), SaslError::InvalidSecret);
        }
        assert_eq!(
            oauth("a", "t")
                .exchange(Mechanism::Plain, &host(), 993)
                .unwrap_err(),
            SaslError::WrongMechanism
        );
    }

    #[test]
    fn a_reason_that_is_not_json_is_no_reason() {
        for challenge in ["", "%%%", "bm8ganNvbg==", &"A".repeat(MAX_CHALLENGE + 4)] {
            assert_eq!(OAuthRefusal::read(challenge), None);
        }
        let odd = STANDARD.encode(r#"{"status":400,"scope":["x"],"schemes":"a\u0000b"}"#);
        let refusal = OAuthRefusal::read(&odd).unwrap();
        assert_eq!(refusal.status.as_deref(), Some("400"));
        assert_eq!(refusal.scope, None);
        assert_eq!(refusal.schemes.as_deref(), Some("ab"));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let sign_in = password("tim", "hunter2-canary");
        let exchange = sign_in.exchange(Mechanism::Plain, &host(), 993).unwrap();
        let printed = format!("{sign_in:?} {exchange:?}");
        assert!(!printed.contains("hunter2"));
        assert!(!printed.contains(&STANDARD.encode("\0tim\0hunter2-canary")));
    }
}
