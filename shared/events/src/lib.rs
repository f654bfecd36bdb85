//! What crosses a process boundary: typed ids, the envelope, one type per event, routing keys, and which service
//! handles what.
//!
//! Invariant: this crate knows no database, no broker and no network. An event carries ids and facts: never a body,
//! an address, a subject or a secret, so that the log need not be rewritten when a message or an account is erased.

mod catalogue;
mod envelope;
mod ids;
mod states;
mod topology;

pub use catalogue::*;
pub use envelope::{EventEnvelope, EventMetadata, MalformedEvent, ReplayId};
pub use ids::*;
pub use states::{
    AccountState, AuthenticationMethod, GrantState, SendCondition, SubmissionState, UnknownName, WhoCanAct,
};
pub use topology::{Consumer, DEAD_LETTER_EXCHANGE, EXCHANGE, RoutingKey};
