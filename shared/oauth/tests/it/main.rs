//! Identity providers: a real one, and stand-ins for what it will not do on command.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod admin_consent;
mod app_only;
mod client_auth;
mod device;
mod microsoft;
mod microsoft_errors;
mod mix_up;
mod openid;
mod service_account;
mod support;
mod token_service;
