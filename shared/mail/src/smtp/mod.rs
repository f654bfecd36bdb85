//! Sending by SMTP submission (RFC 6409, RFC 5321): a small client of our own.
//!
//! The usual crates send the final dot by itself, accept what was injected before TLS and hide the server's reason
//! for refusing a token; and none lets the caller stop between the last recipient and the final dot, which is where
//! "sent once" is decided.

mod address;
mod auth;
mod body;
mod capabilities;
mod data;
mod dialogue;
mod envelope;
mod error;
mod handover;
mod outcome;
mod reply;
mod session;
mod submit;

pub use address::{AddressError, check_address};
pub use body::MessageBody;
pub use capabilities::SmtpCapabilities;
pub(crate) use envelope::wire_address;
pub use envelope::{EnvelopeError, MAX_RECIPIENTS, SmtpEnvelope};
pub use error::{SmtpError, SmtpErrorKind, SmtpStep};
pub use outcome::{NotSent, RecipientStatus, SendFailure, SendOutcome};
pub use reply::{EnhancedCode, ReplyClass, SmtpReply};
pub use session::{SmtpSession, SmtpTimeOuts};
pub use submit::Prepared;
