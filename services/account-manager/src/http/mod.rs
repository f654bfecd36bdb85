//! What API and pages share of HTTP.

pub(crate) mod extract;
pub(crate) mod problem;
pub(crate) mod request;
