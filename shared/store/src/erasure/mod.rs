//! What is erased is gone: from rows, from objects, and from the database's own files.
//!
//! - [`erase_messages`] writes packs anew without the messages that are to be erased;
//! - [`purge_accounts`] erases disconnected accounts whose mail is not wanted any more;
//! - [`collect_orphans`] deletes objects that no row ever came to name (a crash between put and commit);
//! - [`sweep_database`] empties SQLite's write-ahead log, where erased rows would linger.
//!
//! Any worker may run any of these at any time, also two at once: rows are moved by compare-and-set, and who comes
//! second does nothing.

mod accounts;
mod messages;
mod orphans;
mod sweep;

pub use accounts::purge_accounts;
pub use messages::erase_messages;
pub use orphans::{ORPHAN_AGE, collect_orphans};
pub use sweep::sweep_database;
