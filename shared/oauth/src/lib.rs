//! Talking to identity providers: sending people there, exchanging codes, refreshing and revoking tokens.
//!
//! - [`IdentityProviders`] knows every registration of the operator and finds the endpoints behind each, from
//!   provider data or by OpenID Connect Discovery.
//! - [`IdentityProvider`] is one of them: [`authorization_request`](IdentityProvider::authorization_request),
//!   [`exchange_code`](IdentityProvider::exchange_code), [`refresh`](IdentityProvider::refresh),
//!   [`revoke`](IdentityProvider::revoke).
//! - [`TokenError`] says of every failure who can end it and in which words; the table behind it is [`causes`].
//!
//! It stands on the `oauth2` crate with an HTTP client of our own ([`IdentityHttp`]): no redirects, time-outs, a
//! cap on answers. `openidconnect` is not used: it brings `rsa`, which has an unfixed advisory
//! (RUSTSEC-2023-0071), and we need none of its signatures. An `id_token` reaches us straight from the token
//! endpoint over TLS, where OpenID Connect Core 3.1.3.7 lets the check of the server's certificate stand in for
//! the signature; its claims are checked in [`Identity`].
//!
//! Invariants: no database here, and no token, secret, code or raw answer in any error.

mod authorize;
pub mod causes;
mod device;
mod discovery;
mod exchange_code;
mod failure;
mod http_client;
mod id_token;
mod identity_provider;
mod identity_providers;
mod refresh;
mod revoke;
mod token_error;
mod tokens;
mod transport;

pub use authorize::{AuthorizationOptions, AuthorizationRequest};
pub use causes::Cause;
pub use device::DeviceAuthorization;
pub use exchange_code::CodeExchange;
pub use http_client::{HttpSettings, HttpSetupError, IdentityHttp};
pub use id_token::Identity;
pub use identity_provider::IdentityProvider;
pub use identity_providers::IdentityProviders;
pub use revoke::Revocation;
pub use token_error::{RedirectError, TokenError};
pub use tokens::Tokens;
