//! Why a process could not start.

use postroom_bus::BusError;
use postroom_crypto::CryptoError;
use postroom_store::StoreError;

/// Why a process could not start, in words for its operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting does not fit.
    #[error("{0}")]
    Configuration(String),
    /// The database cannot be used.
    #[error("The database cannot be used: {0}. Check POSTROOM_DATABASE_URL, and that the server runs.")]
    Store(#[from] StoreError),
    /// The broker cannot be used.
    #[error("The message broker cannot be used: {0}. Check POSTROOM_AMQP_URL, and that the broker runs.")]
    Bus(#[from] BusError),
    /// The keys cannot be used.
    #[error("The keys that seal secrets cannot be used: {0}")]
    Keys(#[from] CryptoError),
}
