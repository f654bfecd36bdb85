//! Secrets at rest: sealed values, the key ring that seals them, and digests of the tokens we give out.
//!
//! - [`KeyRing`] seals a `SecretString` for exactly one place in the database ([`SealContext`]); the sealed
//!   bytes open there and nowhere else, so that a row copied to another tenant is worth nothing.
//! - [`TokenDigest`] is what is stored of API keys, one-time links and web sessions: enough to recognise a
//!   token, not enough to make one.
//!
//! The primitives come from `aws-lc-rs` rather than `aes-gcm`: rustls already brings it into every binary, so
//! there is one implementation to watch; AWS keeps it full-time, it is FIPS 140-3 validated upstream, runs in
//! constant time, draws nonces itself and wipes its keys.
//!
//! Invariant: no type here prints a secret, and no error holds a piece of one.

mod context;
mod error;
mod key_file;
mod key_ring;
mod sealed;
mod token;

pub use context::SealContext;
pub use error::CryptoError;
pub use key_ring::KeyRing;
pub use sealed::SealedSecret;
pub use token::{TokenDigest, new_token};
