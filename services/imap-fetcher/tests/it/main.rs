//! The fetcher against real servers: Dovecot, and both databases and buses.
#![allow(clippy::unwrap_used)] // helpers outside of test functions

mod choosing;
mod first_sync;
mod live;
mod ownership;
mod reset;
mod rig;
mod sent_copy;
mod sign_in;
