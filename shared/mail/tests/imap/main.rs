//! The IMAP client against Dovecot, and against servers that do what Dovecot will not do on command.

mod dovecot;
mod dovecot_changes;
mod dovecot_sign_in;
mod hostile;
mod rig;
mod scripted;
