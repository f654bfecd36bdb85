//! The keys that seal and open.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

use crate::context::SealContext;
use crate::error::CryptoError;
use crate::key_file;
use crate::sealed::{SealedSecret, is_key_id};

const KEY_LENGTH: usize = 32;

/// Several keys by id. The first one, the primary, seals; all of them open.
///
/// To change the key, put a new one in front of the list, let every row be sealed anew
/// ([`KeyRing::reseal`]), then drop the old one.
pub struct KeyRing {
    keys: Vec<Key>,
}

struct Key {
    id: String,
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
}

impl KeyRing {
    /// Reads a list `id:base64,id:base64`; the first key is the primary. White space and line breaks separate
    /// as commas do, and a line that begins with `#` is a comment.
    ///
    /// # Errors
    /// [`CryptoError::KeyList`], naming the entry by its position.
    pub fn from_list(list: &SecretString) -> Result<Self, CryptoError> {
        let lines = list
            .expose_secret()
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let entries = lines
            .flat_map(|line| line.split([',', ' ', '\t']))
            .filter(|entry| !entry.is_empty());
        let mut keys: Vec<Key> = Vec::new();
        for (index, entry) in entries.enumerate() {
            let refuse = |problem| CryptoError::KeyList {
                position: index + 1,
                problem,
            };
            let key = Key::parse(entry).map_err(refuse)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(refuse("its id is used twice"));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(CryptoError::KeyList {
                position: 0,
                problem: "it holds no key",
            });
        }
        Ok(Self { keys })
    }

    /// Reads the key file at `path`; if there is none, makes one with a new key, readable by its owner only.
    ///
    /// # Errors
    /// [`CryptoError::KeyFileExposed`] if group or others can read it, [`CryptoError::KeyFile`] if it can be
    /// neither read nor made, [`CryptoError::KeyList`] if it holds no usable key.
    pub fn load_or_create(path: &Path) -> Result<Self, CryptoError> {
        let list = match key_file::read(path)? {
            Some(list) => list,
            None => key_file::create(path, &Self::generate_entry("k1")?)?,
        };
        Self::from_list(&list)
    }

    /// A new random key as an entry of a key list, `id:base64`.
    ///
    /// # Errors
    /// [`CryptoError::KeyList`] if the id is not fit, [`CryptoError::Library`] if there is no randomness.
    pub fn generate_entry(id: &str) -> Result<SecretString, CryptoError> {
        if !is_key_id(id) {
            return Err(CryptoError::KeyList {
                position: 1,
                problem: BAD_ID,
            });
        }
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice())?;
        let encoded = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        Ok(format!("{id}:{}", encoded.as_str()).into())
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn primary_id(&self) -> &str {
        &self.primary().id
    }

    /// Seals `secret` for the place `context`.
    ///
    /// # Errors
    /// [`CryptoError::Library`] if there is no randomness.
    pub fn seal(&self, context: &SealContext, secret: &SecretString) -> Result<SealedSecret, CryptoError> {
        let key = self.primary();
        let head = SealedSecret::head(&key.id);
        let associated = context.associated_data(&head);
        let plain = secret.expose_secret().as_bytes();
        // Room for the tag at once: growing later would leave a copy of the plain text behind.
        let mut in_out = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        in_out.extend_from_slice(plain);
        let sealing = key.for_row(&associated)?;
        // Encrypted in place: after this, nothing of the plain text is left in the buffer.
        let nonce = sealing.seal_in_place_append_tag(Aad::from(&associated), &mut in_out)?;
        Ok(SealedSecret::assemble(head, nonce.as_ref(), &in_out))
    }

    /// Opens what was sealed for the place `context`.
    ///
    /// # Errors
    /// [`CryptoError::Malformed`], [`CryptoError::UnknownKey`], or [`CryptoError::NotOpened`] if anything does
    /// not fit: the bytes, the place or the key.
    pub fn open(&self, context: &SealContext, sealed: &SealedSecret) -> Result<SecretString, CryptoError> {
        let parts = sealed.parts()?;
        let unknown = || CryptoError::UnknownKey {
            key_id: parts.key_id.to_owned(),
        };
        let key = self
            .keys
            .iter()
            .find(|key| key.id == parts.key_id)
            .ok_or_else(unknown)?;
        let associated = context.associated_data(parts.head);
        let mut in_out = Zeroizing::new(parts.ciphertext_and_tag.to_vec());
        let nonce = Nonce::from(parts.nonce);
        let plain = key
            .for_row(&associated)?
            .open_in_place(nonce, Aad::from(&associated), &mut in_out)
            .map_err(|_| CryptoError::NotOpened)?;
        // Only text is ever sealed, so anything else means that the form has changed under us.
        let text = std::str::from_utf8(plain).map_err(|_| CryptoError::Malformed)?;
        Ok(SecretString::from(text))
    }

    /// Seals anew under the primary key what is sealed under an older one; `None` if there is nothing to do.
    ///
    /// # Errors
    /// As [`KeyRing::open`] and [`KeyRing::seal`].
    pub fn reseal(
        &self,
        context: &SealContext,
        sealed: &SealedSecret,
    ) -> Result<Option<SealedSecret>, CryptoError> {
        if sealed.key_id()? == self.primary_id() {
            return Ok(None);
        }
        self.seal(context, &self.open(context, sealed)?).map(Some)
    }

    fn primary(&self) -> &Key {
        &self.keys[0] // never empty: `from_list` is the only way to make a ring
    }
}

const BAD_ID: &str = "its id is not 1 to 32 characters of a-z, 0-9, - and _";

impl Key {
    fn parse(entry: &str) -> Result<Self, &'static str> {
        let (id, encoded) = entry
            .split_once(':')
            .ok_or("it has no colon between id and key")?;
        if !is_key_id(id) {
            return Err(BAD_ID);
        }
        let decoded = STANDARD
            .decode(encoded)
            .map(Zeroizing::new)
            .map_err(|_| "its key is not base64")?;
        let mut bytes: [u8; KEY_LENGTH] = decoded
            .as_slice()
            .try_into()
            .map_err(|_| "its key is not 32 bytes long")?;
        let key = Self {
            id: id.to_owned(),
            bytes: Zeroizing::new(bytes),
        };
        bytes.zeroize();
        Ok(key)
    }

    /// The cipher for one place: its key is HMAC-SHA-256 of the place under this key.
    ///
    /// AES-GCM with random nonces is safe for about 2^32 messages a key (NIST SP 800-38D, 8.3). A hundred
    /// thousand accounts that refresh every hour reach that in two years; with a key for each row nobody
    /// needs to count.
    fn for_row(&self, associated: &[u8]) -> Result<RandomizedNonceKey, CryptoError> {
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, self.bytes.as_slice()),
            associated,
        );
        Ok(RandomizedNonceKey::new(&AES_256_GCM, tag.as_ref())?)
    }
}

impl fmt::Debug for KeyRing {
    /// The ids only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
        f.debug_struct("KeyRing")
            .field("ids", &ids)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "new:HxECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn ring(list: &str) -> KeyRing {
        KeyRing::from_list(&list.into()).unwrap()
    }

    fn context() -> SealContext {
        SealContext {
            tenant: Uuid::from_u128(1),
            table: "grants",
            column: "refresh_token",
            row: Uuid::from_u128(2),
        }
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let ring = ring(OLD);
        let sealed = ring.seal(&context(), &"hunter2".into()).unwrap();
        assert_eq!(ring.open(&context(), &sealed).unwrap().expose_secret(), "hunter2");
        let elsewhere = [
            SealContext {
                tenant: Uuid::from_u128(9),
                ..context()
            },
            SealContext {
                table: "passwords",
                ..context()
            },
            SealContext {
                column: "access_token",
                ..context()
            },
            SealContext {
                row: Uuid::from_u128(9),
                ..context()
            },
        ];
        for place in elsewhere {
            assert!(
                matches!(ring.open(&place, &sealed), Err(CryptoError::NotOpened)),
                "{place:?}"
            );
        }
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        let ring = ring(OLD);
        let seal = || ring.seal(&context(), &"hunter2".into()).unwrap();
        assert_ne!(seal(), seal());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let ring = ring(OLD);
        let sealed = ring.seal(&context(), &"hunter2".into()).unwrap().into_bytes();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(
                ring.open(&context(), &SealedSecret::from_bytes(changed)).is_err(),
                "byte {index}"
            );
            let cut = SealedSecret::from_bytes(sealed[..index].to_vec());
            assert!(ring.open(&context(), &cut).is_err(), "cut to {index}");
        }
    }

    #[test]
    fn a_key_is_changed_without_losing_a_secret() {
        let sealed = ring(OLD).seal(&context(), &"hunter2".into()).unwrap();
        let both = ring(&format!("{NEW},{OLD}"));
        let resealed = both
            .reseal(&context(), &sealed)
            .unwrap()
            .expect("it was under the old key");
        assert_eq!(resealed.key_id().unwrap(), "new");
        assert_eq!(both.reseal(&context(), &resealed).unwrap(), None);
        let only_new = ring(NEW);
        assert_eq!(
            only_new.open(&context(), &resealed).unwrap().expose_secret(),
            "hunter2"
        );
        let refused = only_new.open(&context(), &sealed).unwrap_err();
        assert!(matches!(&refused, CryptoError::UnknownKey { key_id } if key_id == "old"));
    }

    #[test]
    fn another_key_under_the_same_id_does_not_open() {
        let sealed = ring(OLD).seal(&context(), &"hunter2".into()).unwrap();
        let impostor = ring(&NEW.replace("new:", "old:"));
        assert!(matches!(
            impostor.open(&context(), &sealed),
            Err(CryptoError::NotOpened)
        ));
    }

    #[test]
    fn a_bad_list_is_refused_by_position_without_showing_it() {
        let short = STANDARD.encode([7_u8; 16]);
        let cases = [
            (String::new(), 0, "no key"),
            ("# only a comment\n".to_owned(), 0, "no key"),
            (format!("{OLD} {}", &NEW[4..]), 2, "no colon"),
            (format!("{OLD},Upper:{short}"), 2, "characters"),
            (format!("a:{short}"), 1, "32 bytes"),
            ("a:***".to_owned(), 1, "not base64"),
            (format!("{OLD}\n{OLD}"), 2, "twice"),
        ];
        for (list, expected, words) in cases {
            let error = KeyRing::from_list(&list.as_str().into()).unwrap_err();
            let CryptoError::KeyList { position, problem } = &error else {
                panic!("{error}")
            };
            assert_eq!(*position, expected, "{problem}");
            assert!(problem.contains(words), "{problem}");
            for part in [&OLD[4..], &NEW[4..], &short] {
                assert!(!error.to_string().contains(part) && !format!("{error:?}").contains(part));
            }
        }
    }

    #[test]
    fn nothing_prints_material() {
        let ring = ring(OLD);
        let sealed = ring.seal(&context(), &"hunter2".into()).unwrap();
        assert_eq!(format!("{sealed:?}"), "[sealed]");
        assert_eq!(format!("{ring:?}"), r#"KeyRing { ids: ["old"], .. }"#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text in ".*") {
            let ring = ring(NEW);
            let sealed = ring.seal(&context(), &text.as_str().into()).unwrap();
            let opened = ring.open(&context(), &sealed).unwrap();
            prop_assert_eq!(opened.expose_secret(), text.as_str());
        }

        #[test]
        fn any_bytes_are_refused_in_peace(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ring(NEW).open(&context(), &SealedSecret::from_bytes(bytes)).is_err());
        }
    }
}
