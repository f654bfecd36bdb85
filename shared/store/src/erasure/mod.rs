//! What is erased is gone: from rows, from objects, and from the database's own files.
//!
//! - [`erase_messages`] writes packs anew without the messages that are to be erased;
//! - [`purge_accounts`] erases disconnected accounts whose mail is not wanted any more;
//! - [`delete_erased_packs`] deletes the objects of the packs that were written anew;
//! - [`collect_orphans`] deletes objects that no row ever came to name (a crash between put and commit);
//! - [`sweep_database`] writes SQLite's file anew, where erased rows would linger.
//!
//! Any worker may run any of these at any time, also two at once, and may be killed at any time: rows are moved by
//! compare-and-set, who comes second does nothing, and what is still to be done after a commit stands in the database.
//! One pack or account that fails is logged and does not stand in the way of the others.

mod accounts;
mod erased_packs;
mod failures;
mod messages;
mod orphans;
mod sweep;

pub use accounts::purge_accounts;
pub use erased_packs::delete_erased_packs;
pub use messages::erase_messages;
pub use orphans::{ORPHAN_AGE, collect_orphans};
pub use sweep::sweep_database;
