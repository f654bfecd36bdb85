//! Connecting by OAuth 2.0: the person is sent to the identity provider and comes back to the same browser.

mod approval;
mod await_admin;
mod begin;
mod check;
mod device;
mod finish;
mod give_back;
mod refusal;

pub(crate) use approval::{ApprovalAnswer, approval_page, approved};
pub(crate) use await_admin::{await_admin, awaits_admin};
pub(crate) use begin::{Started, begin};
pub(crate) use device::begin_device;
pub(crate) use finish::{Answer, finish};
pub(crate) use refusal::Refusal;
