//! Talking to identity providers: sending people there, exchanging codes, refreshing and revoking tokens.
//!
//! - [`IdentityProviders`] knows every registration of the operator and finds the endpoints behind each, from
//!   provider data or by OpenID Connect Discovery.
//! - [`IdentityProvider`] is one of them. Where people sign in:
//!   [`authorization_request`](IdentityProvider::authorization_request),
//!   [`exchange_code`](IdentityProvider::exchange_code), [`refresh`](IdentityProvider::refresh),
//!   [`revoke`](IdentityProvider::revoke), [`begin_device`](IdentityProvider::begin_device). Where nobody does:
//!   [`obtain`](IdentityProvider::obtain). [`renew`](IdentityProvider::renew) gets the next token of either.
//! - [`TokenError`] says of every failure who can end it and in which words: [`causes`].
//!
//! It stands on the `oauth2` crate with an HTTP client of our own ([`IdentityHttp`]): no redirects, time-outs, a
//! cap on answers. `openidconnect` is not used: it brings `rsa`, which has an unfixed advisory
//! (RUSTSEC-2023-0071), and we need none of its signatures. An `id_token` reaches us straight from the token
//! endpoint over TLS, where OpenID Connect Core 3.1.3.7 lets the check of the server's certificate stand in for
//! the signature; its claims are checked in [`Identity`].
//!
//! Invariants: no database here, and no token, secret, code or raw answer in any error.

mod admin_consent;
mod authorize;
pub mod causes;
mod certificate;
mod client_auth;
mod device;
mod discovery;
mod exchange_code;
mod failure;
mod http_client;
mod id_token;
mod identity_provider;
mod identity_providers;
mod jwt;
mod meanings;
mod obtain;
mod refresh;
mod registered;
mod revoke;
mod service_account;
mod token_error;
mod token_service;
mod tokens;
mod transport;

pub use admin_consent::{AdminConsent, AdminConsentAnswer, AdminConsentRequest};
pub use authorize::{AuthorizationOptions, AuthorizationRequest};
pub use causes::{Cause, NextStep};
pub use device::DeviceAuthorization;
pub use exchange_code::CodeExchange;
pub use http_client::{HttpSettings, HttpSetupError, IdentityHttp};
pub use id_token::Identity;
pub use identity_provider::IdentityProvider;
pub use identity_providers::IdentityProviders;
pub use obtain::Mailbox;
pub use revoke::Revocation;
pub use token_error::{RedirectError, TokenError};
pub use tokens::Tokens;
