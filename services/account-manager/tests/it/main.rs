//! The API and the pages over HTTP, with the testbed's real mail servers and its OpenID provider behind them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on should say where

mod admin_approval;
mod api;
mod bad_input;
mod connect_links;
mod connecting;
mod dead_letters;
mod device_sign_ins;
mod discovering;
mod giving_back;
mod oauth;
mod obtained;
mod pages;
mod pages_inbox;
mod pausing;
mod purging;
mod reading;
mod rig;
mod send_blocked;
mod sending;
mod service;
