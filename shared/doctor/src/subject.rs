//! Whom the doctor looks at.

use postroom_mail::{net::Endpoint, sasl::SignIn};
use secrecy::SecretString;

/// A mailbox.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its address.
    pub address: String,
    /// Where mail is read.
    pub imap: Server,
    /// Where mail is submitted; `None`: the mailbox only receives.
    pub smtp: Option<Server>,
    /// What it signs in with; `None`: nobody signs in.
    pub secret: Option<Secret>,
    /// Scopes that an access token must have, as its provider names them.
    pub scopes: Vec<String>,
    /// What the provider tells people whose sign-in is refused: its own words, or a page of its help.
    pub help: Option<String>,
}

/// One of its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The user name there.
    pub login: String,
}

/// What a mailbox signs in with.
#[derive(Clone, Debug)]
pub enum Secret {
    /// A password or an app password.
    Password(SecretString),
    /// An OAuth 2.0 access token.
    AccessToken(SecretString),
}

impl Secret {
    pub(crate) fn sign_in(&self, login: &str) -> SignIn {
        let login = login.to_owned();
        match self {
            Self::Password(password) => SignIn::Password {
                login,
                secret: password.clone(),
            },
            Self::AccessToken(token) => SignIn::OAuth {
                login,
                access_token: token.clone(),
            },
        }
    }
}
