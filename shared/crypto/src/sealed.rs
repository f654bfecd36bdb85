//! The stored form of a secret: `version (1) | length of key id (1) | key id | nonce (12) | ciphertext | tag (16)`.

use std::fmt;

use crate::error::CryptoError;

/// Version of the form. A new one is added beside the old, which stays readable.
const VERSION: u8 = 1;
pub(crate) const NONCE_LENGTH: usize = 12;
const TAG_LENGTH: usize = 16;
/// Longest id that a key may have, in bytes.
pub(crate) const MAX_KEY_ID: usize = 32;

/// A secret that only the key ring can open, as stored in a `BLOB` or `BYTEA` column.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

/// A sealed value taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) key_id: &'a str,
    pub(crate) nonce: &'a [u8; NONCE_LENGTH],
    pub(crate) ciphertext_and_tag: &'a [u8],
}

impl SealedSecret {
    /// What was read from the database. The form is checked when it is opened.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// What to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What to store, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The id of the key that it is sealed under.
    ///
    /// # Errors
    /// [`CryptoError::Malformed`]
    pub fn key_id(&self) -> Result<&str, CryptoError> {
        self.parts().map(|parts| parts.key_id)
    }

    /// Version and key id: sealed along, so that neither can be exchanged.
    pub(crate) fn head(key_id: &str) -> Vec<u8> {
        let mut head = vec![VERSION, key_id.len() as u8]; // at most MAX_KEY_ID, checked when a key is read
        head.extend_from_slice(key_id.as_bytes());
        head
    }

    pub(crate) fn assemble(mut head: Vec<u8>, nonce: &[u8; NONCE_LENGTH], ciphertext_and_tag: &[u8]) -> Self {
        head.extend_from_slice(nonce);
        head.extend_from_slice(ciphertext_and_tag);
        Self(head)
    }

    pub(crate) fn parts(&self) -> Result<Parts<'_>, CryptoError> {
        let [VERSION, id_length, rest @ ..] = self.0.as_slice() else {
            return Err(CryptoError::Malformed);
        };
        let id_length = usize::from(*id_length);
        let (id, rest) = rest.split_at_checked(id_length).ok_or(CryptoError::Malformed)?;
        let key_id = std::str::from_utf8(id).map_err(|_| CryptoError::Malformed)?;
        let (nonce, ciphertext_and_tag) = rest.split_first_chunk().ok_or(CryptoError::Malformed)?;
        if !is_key_id(key_id) || ciphertext_and_tag.len() < TAG_LENGTH {
            return Err(CryptoError::Malformed);
        }
        Ok(Parts {
            head: &self.0[..2 + id_length],
            key_id,
            nonce,
            ciphertext_and_tag,
        })
    }
}

/// Whether `id` may name a key: 1 to 32 characters of `a-z 0-9 - _`, so that it can be printed and stored.
pub(crate) fn is_key_id(id: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=MAX_KEY_ID).contains(&id.len()) && id.bytes().all(allowed)
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}
