//! The sender against real servers: Postfix, which asks Dovecot who may send and delivers back to it; both databases and
//! buses; and, where a worker has to die, its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on should say where

mod blocked;
mod canary;
mod faults;
mod isolation;
mod killed;
mod once;
mod outcomes;
mod rig;
mod sign_in;
mod waits;
mod worker;
