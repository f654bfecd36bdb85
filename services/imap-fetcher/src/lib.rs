//! imap-fetcher: leases accounts, fetches their mail, watches it, and announces what happens there.
//!
//! - [`ownership`](self) takes a fair share of the accounts, renews the leases, and hands them over;
//! - `account` is the life of one held account: sign in, sync, and what becomes of it when that fails;
//! - `sync` is one session with its server: folders, first sync, new mail, flags, deletions, moves;
//! - `events` turns events into rows and wake-ups, which the holder of the account acts on.
//!
//! Invariants: only the holder of an account's lease talks to its server; every write of sync state names the lease and
//! misses if it was lost; a step ends before its lease does; what one account's server or mail does cannot harm another.

mod account;
mod events;
mod fetcher;
mod ownership;
mod service;
mod settings;
mod step_error;
mod sync;

pub use fetcher::{Components, Fetcher};
pub use ownership::Ownership;
pub use service::{fetcher_of, run, run_with};
pub use settings::FetcherSettings;
