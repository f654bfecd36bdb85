//! What people and CRMs do with Postroom, from one end to the other, embedded and distributed, on real servers.
#![allow(clippy::unwrap_used)] // bodies of the tests

mod chromium;
mod connect;
mod live;
mod object_store;
mod pages;
mod send;
mod tokens;
mod trace;

use std::time::Duration;

/// How long anything may take that takes a moment, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
