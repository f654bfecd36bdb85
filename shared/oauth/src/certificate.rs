//! Proving who we are with a certificate: `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core section 9).

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;
use serde_json::json;
use x509_parser::parse_x509_certificate;

use crate::jwt::{self, Algorithm, SigningKey, Unsigned};

/// A certificate and its key.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    key: SigningKey,
    thumbprint: String,
    ends_at: Option<DateTime<Utc>>,
}

impl ClientCertificate {
    /// Reads both files. The key must be the certificate's: a mistake is told now, not by the provider.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let pem = jwt::read_file("client_certificate", certificate)?;
        let der = CertificateDer::from_pem_slice(&pem).map_err(|_| {
            format!(
                "`client_certificate`: {} holds no certificate in PEM",
                certificate.display()
            )
        })?;
        let (_, parsed) = parse_x509_certificate(&der)
            .map_err(|_| format!("`client_certificate`: {} is damaged", certificate.display()))?;
        let signing_key = SigningKey::from_pem(&jwt::read_file("client_key", key)?)
            .map_err(|problem| format!("`client_key`: {}: {problem}", key.display()))?;
        if parsed.public_key().subject_public_key.data != signing_key.public_key() {
            return Err(format!(
                "`client_key`: {} is not the key of the certificate {}",
                key.display(),
                certificate.display()
            ));
        }
        Ok(Self {
            key: signing_key,
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            ends_at: DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0),
        })
    }

    /// From when on it is refused.
    pub(crate) fn ends_at(&self) -> Option<DateTime<Utc>> {
        self.ends_at
    }

    /// Says that we are `client_id`, to `audience` alone, for a few minutes. The header is as Microsoft wants it
    /// (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
    pub(crate) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<SecretString, Unsigned> {
        let (begin, end) = jwt::times(now);
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": audience, "jti": jwt::unique()?,
            "iat": begin, "nbf": begin, "exp": end
        });
        self.key
            .sign(Algorithm::Ps256, ("x5t#S256", &self.thumbprint), &claims)
    }
}
