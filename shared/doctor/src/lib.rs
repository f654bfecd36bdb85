//! What is wrong with a mailbox, step by step: DNS, TCP, TLS, greeting, capabilities, sign-in, folders, for IMAP and for
//! SMTP. Each step says what came of it, how long it took, and what to do where it failed.
//!
//! [`look_for`] names the servers of an address, [`Doctor::examine`] walks them, [`bundle`] makes a file of the
//! [`Report`] that can be given away.
//!
//! Invariants:
//! - nothing is changed: no folder is opened, no mail is read or sent;
//! - a secret is used for one sign-in per server, and not for the second one once the first has refused it;
//! - a report holds no secret, no mail, no name of a folder. It does hold the address: [`bundle`] masks it.

mod advice;
mod bundle;
mod certificate;
mod course;
mod doctor;
mod encrypt;
mod find;
mod imap;
mod report;
mod smtp;
mod subject;
mod token;

pub use bundle::bundle;
pub use doctor::Doctor;
pub use find::{Given, look_for};
pub use report::{Outcome, Part, Report, Step, StepName};
pub use subject::{Secret, Server, Subject};
