//! The mail protocols: reaching a server, signing in, IMAP, SMTP and MIME.
//!
//! Invariant: this crate never reads a database and knows no OAuth HTTP. An access token comes in as a
//! [`sasl::SignIn`]; where it came from is somebody else's business.
//!
//! Everything a server says is untrusted: each read has a limit and a time-out, each argument that goes out is
//! a validated type, and a hostile server can fail its own session only.

pub mod imap;
pub mod mime;
pub mod net;
pub mod sasl;
pub mod smtp;
