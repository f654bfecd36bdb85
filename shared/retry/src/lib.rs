//! When to try again: the clock, the policy of each use, and a loop for in-process reconnects.
//!
//! Everything that decides is pure: a policy is asked with the number of attempts made, the time and a
//! [`Jitter`], and answers with a time or with "no more". So a handler, a test and a simulation come to the
//! same answer, and the answer can be stored as a row (`next_attempt_at`) instead of a sleeping task.
//!
//! Invariant: only [`policy`] knows the `backoff` crate, which its authors no longer keep
//! (RUSTSEC-2025-0012; no weakness is known). It can be replaced there without anybody noticing.

pub mod clock;
pub mod policies;
pub mod policy;
mod retry_with;

pub use clock::{Clock, ManualClock, SystemClock};
pub use policy::{Failure, Jitter, RetryPolicy};
pub use retry_with::{Fault, retry_with};
