//! Tokens that we give out: API keys, one-time links, web sessions, OAuth `state`.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::error::CryptoError;

/// Bytes of randomness in a token: 256 bits.
const RANDOM_LENGTH: usize = 32;
/// No token of ours is longer, prefix included; what is longer need not be hashed.
const MAX_TOKEN: usize = 128;

/// What is stored of a token: its SHA-256.
///
/// Plain SHA-256 is enough here. Salt, pepper and slow hashes defend secrets that can be guessed; nobody
/// guesses 256 random bits, however quickly they can be tried, and a look-up by digest stays one index access.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

/// Makes a new token, `PREFIX_` and 43 characters that are safe in a URL, and the digest to store. The token
/// is shown once and not kept. The prefix says what it is to people and to secret scanners; may be empty.
///
/// # Errors
/// [`CryptoError::Library`] if there is no randomness.
pub fn new_token(prefix: &str) -> Result<(SecretString, TokenDigest), CryptoError> {
    let mut random = Zeroizing::new([0; RANDOM_LENGTH]);
    aws_lc_rs::rand::fill(random.as_mut_slice())?;
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
    let separator = if prefix.is_empty() { "" } else { "_" };
    let token = SecretString::from(format!("{prefix}{separator}{}", encoded.as_str()));
    let digest = TokenDigest::of(token.expose_secret());
    Ok((token, digest))
}

impl TokenDigest {
    /// The digest of a token that somebody presents. What cannot be a token of ours (empty, or longer than 128
    /// bytes) comes to a digest that no token has.
    #[must_use]
    pub fn of(token: &str) -> Self {
        if token.is_empty() || token.len() > MAX_TOKEN {
            return Self([0; 32]);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Whether `token` is the one; takes the same time wherever they differ.
    #[must_use]
    pub fn matches(&self, token: &str) -> bool {
        let presented = Self::of(token);
        presented.0 != [0; 32] && verify_slices_are_equal(&self.0, &presented.0).is_ok()
    }

    /// The digest as stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenDigest {
    /// The first bytes only: enough to tell two apart in a log, of no use for anything else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "TokenDigest({:02x}{:02x}{:02x}..)",
            self.0[0], self.0[1], self.0[2]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_its_own_digest_only() {
        let (token, digest) = new_token("postroom_key").unwrap();
        let (other, _) = new_token("postroom_key").unwrap();
        let text = token.expose_secret();
        assert!(
            text.starts_with("postroom_key_") && text.len() == "postroom_key_".len() + 43,
            "{}",
            text.len()
        );
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert!(digest.matches(text));
        assert!(!digest.matches(other.expose_secret()));
        assert!(!digest.matches(&text[1..]));
        assert_eq!(TokenDigest::from_bytes(*digest.as_bytes()), digest);
    }

    #[test]
    fn what_cannot_be_a_token_matches_nothing() {
        let nothing = TokenDigest::of("");
        assert_eq!(TokenDigest::of(&"x".repeat(129)), nothing);
        assert!(!nothing.matches("") && !nothing.matches(&"x".repeat(129)));
    }

    #[test]
    fn the_digest_is_sha_256() {
        // FIPS 180-2, appendix B.1
        assert_eq!(TokenDigest::of("abc").as_bytes()[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(format!("{:?}", TokenDigest::of("abc")), "TokenDigest(ba7816..)");
    }

    #[test]
    fn without_prefix_it_is_the_random_part_alone() {
        assert_eq!(new_token("").unwrap().0.expose_secret().len(), 43);
    }
}
