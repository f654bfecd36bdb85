//! Mailboxes: putting mail in, looking at what is there, changing it behind a client's back.

pub(crate) mod deliver;
pub(crate) mod dialogue;
pub(crate) mod doveadm;
pub(crate) mod imap;
pub(crate) mod read;
pub(crate) mod seed;
