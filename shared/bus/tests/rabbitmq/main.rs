//! The bus over a real RabbitMQ: the conformance suite, and what only a broker can do.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what went wrong by panicking

mod faults;
mod rig;
mod tls;

use rig::{fresh_vhost, private_broker};

postroom_bus::conformance_suite!(fresh_vhost, private_broker);
