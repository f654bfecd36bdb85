//! The IMAP client against Dovecot, and against servers that do what Dovecot will not do on command.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests panic like the tests themselves"
)]

mod dovecot;
mod dovecot_changes;
mod dovecot_sign_in;
mod hostile;
mod rig;
mod scripted;
