//! The bus over a real RabbitMQ: the conformance suite, and what only a broker can do.

mod faults;
mod rig;

use rig::{fresh_vhost, private_broker};

postroom_bus::conformance_suite!(fresh_vhost, private_broker);
