//! The API and the pages over HTTP, with the testbed's real mail servers and its OpenID provider behind them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on should say where

mod api;
mod bad_input;
mod connecting;
mod dead_letters;
mod giving_back;
mod oauth;
mod pages;
mod pausing;
mod purging;
mod reading;
mod rig;
mod send_blocked;
mod sending;
mod service;
