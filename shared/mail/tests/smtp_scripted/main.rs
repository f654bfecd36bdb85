//! The SMTP client against a server that does what no real server does on command: hang up after any byte, refuse any
//! command, say too much. A fake on purpose; the dialogue with a real server is in `smtp_postfix.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod boundaries;
mod client;
mod hostile;
mod replies;
mod server;
mod sign_in;
mod wire;
