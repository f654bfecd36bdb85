//! token-refresher: keeps access tokens alive, says when a person has to sign in again, and gives back what nobody uses.
//!
//! - `scheduler` announces grants whose access token nears its end, whoever of the refreshers looks first.
//! - `refresh` gets new tokens for one grant, announced or rejected by a mail server, and puts them on disk.
//! - `reauthorization` tells everybody of a grant that gives no tokens any more.
//! - `registrations` warns the operator before a client secret or certificate ends.
//! - `release` erases what nobody signs in with any more, and gives grants back to their provider.
//!
//! Invariants: a rotated refresh token is on disk before anything can read the access token that came with it; a grant is
//! refreshed by one event at a time; what was decided on older tokens changes nothing; no token is in any event, error or
//! log line.

mod connected;
mod first_attempt;
mod handler;
mod reauthorization;
mod refresh;
mod refresher;
mod registrations;
mod release;
mod schedule;
mod scheduler;
mod service;
mod settings;

pub use refresher::{Components, Refresher};
pub use service::{refresher_of, run, run_with};
pub use settings::RefresherSettings;
