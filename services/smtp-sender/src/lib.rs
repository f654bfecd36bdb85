//! smtp-sender: submits mail to the mailbox's own server, once, and says honestly what became of it.
//!
//! - `handler` takes the events; `glance` says from the rows what may be done with a submission now;
//! - `lanes` is each account's way out: few connections, kept open, and a turn for everybody who waits;
//! - `attempt` is one attempt: claim the submission, sign in (`way_in`), hand the mail over (`hand_over`), write down what
//!   became of it (`fate`, `conclude`, `write_down`).
//!
//! Invariants: before the final dot leaves, it is on disk that it may have left, and a mail of which that is on disk and no
//! answer is known is never sent again by the program; what an account's server does delays no other account; a refused
//! sign-in is told once and not repeated for each mail that waits.

mod attempt;
mod claims;
mod conclude;
mod consequence;
mod fate;
mod glance;
mod hand_over;
mod handler;
mod lanes;
mod refused;
mod sender;
mod service;
mod settings;
mod way_in;
mod write_down;

pub use service::{run, run_with};
pub use settings::SenderSettings;
