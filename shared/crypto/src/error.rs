//! What can go wrong. Sentences name the thing, the cause and the next step, and hold no material.

use std::io;
use std::path::PathBuf;

/// A failure to read keys, to seal or to open.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    /// The configured list of keys cannot be read. Entries are named by position: an id that was forgotten
    /// would make the key itself look like one.
    #[error(
        "The key list is not usable: {problem} (entry {position}). Write it as `id:key`, separated by commas, \
         the first being the one that seals; a key is 32 random bytes in base64, for example from \
         `openssl rand -base64 32`."
    )]
    KeyList {
        /// Position in the list, 1 first; 0 when there is no entry at all.
        position: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The key file could not be read or made.
    #[error("The key file {} could not be {action}: {cause}. Check that its directory exists and is writable.", path.display())]
    KeyFile {
        /// Where it is.
        path: PathBuf,
        /// `read` or `made`.
        action: &'static str,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Others than its owner can read the key file.
    #[error(
        "The key file {path} can be read by others than its owner (mode {mode:03o}). Run `chmod 600 {path}`, and \
         change the key if somebody may have read it.",
        path = path.display()
    )]
    KeyFileExposed {
        /// Where it is.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Sealed under a key that this ring does not hold.
    #[error(
        "The secret is sealed under key `{key_id}`, which is not in the key list. Add that key behind the first one."
    )]
    UnknownKey {
        /// The id that the sealed value names.
        key_id: String,
    },
    /// Not the form of a sealed value.
    #[error(
        "The sealed secret is damaged: it does not have the form of one. Restore the row from a backup, or sign in again."
    )]
    Malformed,
    /// The seal is broken: other bytes, another row, or another key under the same id.
    #[error(
        "The sealed secret cannot be opened: it was changed, belongs to another row, or was sealed by another key \
         with the same id. Check the key list; if it is right, sign in again."
    )]
    NotOpened,
    /// The operating system gave no random bytes, or the cipher refused to work.
    #[error("The cryptographic library refused to work: the system's random source may be unavailable.")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}
