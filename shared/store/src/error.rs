//! What can go wrong with the store.

use postroom_crypto::CryptoError;
use postroom_events::UnknownName;
use sea_orm::{DbErr, SqlErr};

/// A fault of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("the database could not do this: {0}")]
    Database(#[from] DbErr),
    /// The object store refused or could not be reached.
    #[error("the object store could not do this: {0}")]
    Objects(#[from] object_store::Error),
    /// A row that was named does not exist, or belongs to somebody else.
    #[error("there is no {what} {id}")]
    NotFound {
        /// The kind of row.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The row has moved on since it was read: somebody else changed it, or a lease was lost.
    #[error("{what} {id} has changed in the meantime")]
    Outdated {
        /// The kind of row.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A row like this exists already.
    #[error("there is already a {what} with this {field}")]
    AlreadyExists {
        /// The kind of row.
        what: &'static str,
        /// What must be unique.
        field: &'static str,
    },
    /// Something stored cannot be read: damaged, or written by a newer version.
    #[error("stored {what} cannot be read: {reason}")]
    Damaged {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A transaction cannot be committed; it is rolled back.
    #[error("the transaction cannot be committed: {0}")]
    Transaction(&'static str),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The configuration does not fit.
    #[error("{0}")]
    Configuration(String),
}

impl From<UnknownName> for StoreError {
    fn from(error: UnknownName) -> Self {
        Self::Damaged {
            what: error.of,
            reason: error.to_string(),
        }
    }
}

impl StoreError {
    /// A missing row.
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            what,
            id: id.to_string(),
        }
    }

    /// A row that has moved on.
    pub fn outdated(what: &'static str, id: impl ToString) -> Self {
        Self::Outdated {
            what,
            id: id.to_string(),
        }
    }

    /// Turns a unique violation into `AlreadyExists`, and leaves every other fault as it is.
    pub fn on_duplicate(error: DbErr, what: &'static str, field: &'static str) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::AlreadyExists { what, field },
            _ => Self::Database(error),
        }
    }
}
