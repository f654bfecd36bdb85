//! Why a step of a sync ended early.

use postroom_mail::imap::ImapError;
use postroom_store::StoreError;

/// Why a step of a sync ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The server, or the way to it.
    #[error(transparent)]
    Imap(#[from] ImapError),
    /// The database or the object store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else may look after the account now: nothing more may be written.
    #[error("the lease of the account was lost")]
    LeaseLost,
    /// A task of this process died.
    #[error("a worker thread of this process died: {0}")]
    Crashed(String),
}

impl StepError {
    /// Whether the session goes on: the server refused one command, nothing else happened.
    pub(crate) fn leaves_session_usable(&self) -> bool {
        matches!(self, Self::Imap(error) if error.leaves_session_usable())
    }
}
