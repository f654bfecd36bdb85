//! Sending by SMTP submission (RFC 6409, RFC 5321): a small client of our own.

mod address;

pub use address::{AddressError, check_address};
