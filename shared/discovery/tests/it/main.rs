//! Discovery against a small world of its own: name servers, the ISPDB, domains and hosters, all on loopback. See
//! [`world::World`].

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fuzz;
mod limits;
mod ranks;
mod real_servers;
mod rules;
mod ssrf;
mod traps;
mod world;
