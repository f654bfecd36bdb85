//! What we sign: JSON Web Tokens in compact form (RFC 7515 section 7.1, RFC 7519), with an RSA key.

use std::path::Path;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;
use serde_json::{Value, json};

/// How long what we sign is good for. It is sent at once; Microsoft and Google both take it for minutes.
pub(crate) const LIFETIME_SECONDS: i64 = 300;

/// How it is signed (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Algorithm {
    /// What Microsoft asks for.
    Ps256,
    /// What Google asks for.
    Rs256,
}

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Ps256 => &RSA_PSS_SHA256,
            Self::Rs256 => &RSA_PKCS1_SHA256,
        }
    }
}

/// An RSA key that does not print.
pub(crate) struct SigningKey(RsaKeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads a key: PKCS#8 or PKCS#1, in PEM, not encrypted.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| "it holds no private key in PEM, or an encrypted one")?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("its key is not an RSA key"),
        };
        let pair = pair.map_err(|_| "its key is not an RSA key, or is damaged")?;
        if pair.public_modulus_len() < 256 {
            return Err("its RSA key has less than 2048 bits");
        }
        Ok(Self(pair))
    }

    /// The public half, as PKCS#1.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// Signs `claims`. `known_as` is the header's parameter that tells the other side which key it was.
    pub(crate) fn sign(
        &self,
        algorithm: Algorithm,
        known_as: (&str, &str),
        claims: &Value,
    ) -> Result<SecretString, Unsigned> {
        let (parameter, value) = known_as;
        let header = json!({ "alg": algorithm.name(), "typ": "JWT", parameter: value });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                algorithm.encoding(),
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Unsigned)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

/// The key did not sign.
#[derive(Debug)]
pub(crate) struct Unsigned;

/// `iat` and `exp`: from now until the end of what we sign.
pub(crate) fn times(now: DateTime<Utc>) -> (i64, i64) {
    let now = now.timestamp();
    (now, now.saturating_add(LIFETIME_SECONDS))
}

/// A `jti`: 128 random bits.
pub(crate) fn unique() -> Result<String, Unsigned> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| Unsigned)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Reads a file that the operator has named under `key`; nothing of its content is repeated.
pub(crate) fn read_file(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path)
        .map_err(|error| format!("`{key}`: the file {} cannot be read: {error}", path.display()))
}
