//! Connecting by OAuth 2.0: the person is sent to the identity provider and comes back to the same browser.

mod begin;
mod check;
mod finish;
mod give_back;
mod refusal;

pub(crate) use begin::{Started, begin};
pub(crate) use finish::{Answer, finish};
pub(crate) use refusal::Refusal;
