//! Identity providers: a real one, and stand-ins for what it will not do on command.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

mod device;
mod microsoft;
mod openid;
mod support;
