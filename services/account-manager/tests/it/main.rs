//! The API and the pages over HTTP, with the testbed's real mail servers and its OpenID provider behind them.

mod api;
mod bad_input;
mod connecting;
mod oauth;
mod pages;
mod reading;
mod rig;
mod sending;
