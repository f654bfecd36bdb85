//! What Postroom remembers: the only crate that speaks SeaORM, and the only one that knows where raw mail lies.
//!
//! - [`Store`] opens SQLite or PostgreSQL; [`Tx`] is a named transaction. Queries are functions named by their use, in
//!   one module per thing; they take a connection, so that they run inside a transaction or beside one.
//! - [`events`] appends events in the transaction that changes the state they tell of.
//! - [`packs`] keeps raw mail, compressed, in an object store.
//!
//! Invariant: nothing outside (IMAP, SMTP, a token endpoint) is ever called inside a transaction.

mod database;
pub mod entities;
mod error;
mod sql;
mod transaction;

pub mod accounts;
pub mod admin_approvals;
pub mod authorization_requests;
pub mod credentials;
pub mod dead_letters;
pub mod device_sign_ins;
pub mod erasure;
pub mod events;
pub mod figures;
pub mod folders;
pub mod grants;
pub mod handled;
pub mod leases;
pub mod locations;
pub mod messages;
pub mod outbox;
pub mod packs;
pub mod queue;
pub mod refreshes;
pub mod retention;
pub mod retries;
pub mod sent_copies;
pub mod sessions;
pub mod submissions;
pub mod tenants;
pub mod work;
pub mod workers;

pub use database::{Backend, CommitListener, EventDelivery, Store, StoreConfig};
pub use entities::*;
pub use error::StoreError;
pub use sea_orm::ConnectionTrait;
pub use transaction::{Committed, Tx};
