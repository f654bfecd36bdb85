//! Mail providers and OAuth registrations as data: hosts, endpoints, scopes, budgets, quirks.
//!
//! What providers do stands in `providers.toml`, which is part of the program and which an operator's file can
//! correct and extend ([`ProviderCatalogue::load`]). Code asks the data; there is no `if provider == ..` anywhere.
//! [`OAuthRegistration`] is the other half: who *we* are at an identity provider.
//!
//! Invariant: this crate opens no connection and reads no file.

mod catalogue;
mod check;
mod error;
mod merge;
mod oauth_endpoints;
mod provider;
mod reach;
mod registration;
mod registration_entry;
mod registration_file;
mod registration_kind;
mod unsupported;

pub use catalogue::ProviderCatalogue;
pub use error::ProviderDataError;
pub use oauth_endpoints::{ClientAuth, Endpoints, OAuthEndpoints, OldRefreshToken, is_tenant};
pub use provider::{Budget, MailServer, Provider, Quirk, SentCopy, TlsMode, UsernameForm};
pub use reach::Reach;
pub use registration::{IdentitySource, OAuthRegistration};
pub use registration_kind::{ClientProof, ClientSecret, RegisteredClient, RegistrationKind};
pub use unsupported::Unsupported;
