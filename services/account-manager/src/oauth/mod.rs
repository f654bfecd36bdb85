//! Connecting by OAuth 2.0: the person is sent to the identity provider and comes back to the same browser.

mod begin;
mod finish;

pub(crate) use begin::{Started, begin};
pub(crate) use finish::{Answer, Refusal, finish};
