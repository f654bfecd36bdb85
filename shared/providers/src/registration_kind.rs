//! How tokens are got with a registration, and how we prove there who we are.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

/// How tokens are got with a registration.
#[derive(Clone, Debug)]
pub enum RegistrationKind {
    /// Each person signs in and consents; a refresh token keeps the grant alive (RFC 6749 sections 4.1 and 6, RFC 8628).
    Delegated(RegisteredClient),
    /// We sign in as ourselves, for every mailbox of one organization (client credentials, RFC 6749 section 4.4).
    AppOnly(RegisteredClient),
    /// We vouch for a mailbox with a key of Google's (domain-wide delegation; RFC 7523 section 2.1).
    ServiceAccount {
        /// The JSON key as Google gives it.
        key: PathBuf,
    },
    /// A service of the operator's holds the grants, and hands access tokens out.
    TokenService {
        /// Where it is asked.
        url: Url,
        /// Says that it is we who ask.
        secret: SecretString,
    },
}

impl RegistrationKind {
    /// As the operator writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delegated(_) => "delegated",
            Self::AppOnly(_) => "app_only",
            Self::ServiceAccount { .. } => "service_account",
            Self::TokenService { .. } => "token_service",
        }
    }

    /// Whether a person signs in at the provider.
    #[must_use]
    pub const fn is_delegated(&self) -> bool {
        matches!(self, Self::Delegated(_))
    }

    /// Whether it opens mailboxes although nobody who owns one was asked. Somebody else must say which ones, then.
    #[must_use]
    pub const fn asks_nobody(&self) -> bool {
        matches!(self, Self::AppOnly(_) | Self::ServiceAccount { .. })
    }
}

/// A client that the operator has registered at a provider.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// Our `client_id` there.
    pub id: String,
    /// How we prove that we are this client.
    pub proof: ClientProof,
}

/// How a client proves who it is (RFC 6749 section 2.3).
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// Not at all: a public client.
    None,
    /// Secrets, the one to use first. Two live while one takes over from the other.
    Secrets(Vec<ClientSecret>),
    /// A certificate that is known there, as PEM, and its RSA key (`private_key_jwt`, RFC 7523 section 2.2).
    Certificate {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl ClientProof {
    /// One secret of which no end is known, or none at all.
    #[must_use]
    pub fn secret(secret: Option<SecretString>) -> Self {
        match secret {
            Some(value) => Self::Secrets(vec![ClientSecret { value, ends_at: None }]),
            None => Self::None,
        }
    }
}

/// A client secret.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    /// The secret.
    pub value: SecretString,
    /// From when on it is refused, if the operator has said so.
    pub ends_at: Option<DateTime<Utc>>,
}
