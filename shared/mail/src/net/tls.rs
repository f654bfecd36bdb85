//! TLS: whom to trust, the handshake, and what its failures mean.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, ClientConfig, InvalidMessage};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::TlsFailure;

/// The trust in certificates could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The CA file is missing, unreadable or not PEM.
    #[error(
        "The CA file {path} could not be read: {reason}. Check the path and that it holds PEM certificates."
    )]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// The CA file holds no certificate.
    #[error("The CA file {0} holds no certificate. It must hold at least one in PEM form.")]
    EmptyCaFile(PathBuf),
    /// Neither the system nor the operator gave an authority to trust, or one of them is unusable.
    #[error(
        "No certificate authority can be trusted: {0}. Install the system's CA certificates or configure a CA file."
    )]
    NoAuthorities(rustls::Error),
}

/// A client configuration that checks certificates against the system's authorities and those in `extra_ca`.
pub(super) fn client_config(extra_ca: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = extra_ca.map(read_ca_file).transpose()?.unwrap_or_default();
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, provider.clone())
        .map_err(TrustError::NoAuthorities)?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::NoAuthorities)?
        // "dangerous" is the only door for a verifier object; this one is the platform's, with every check on.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let unreadable = |error: rustls_pki_types::pem::Error| TrustError::CaFile {
        path: path.into(),
        reason: error.to_string(),
    };
    let roots: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if roots.is_empty() {
        return Err(TrustError::EmptyCaFile(path.into()));
    }
    Ok(roots)
}

/// What a failed handshake means; `None` when it was the network and not TLS.
pub(super) fn failure(error: &io::Error) -> Option<TlsFailure> {
    if let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return Some(tls_failure(tls));
    }
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
    .then_some(TlsFailure::ClosedDuringHandshake)
}

fn tls_failure(error: &rustls::Error) -> TlsFailure {
    match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_failure(certificate),
        // A server that speaks first in plain text (a greeting, an HTTP error) is taken for a broken TLS record.
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => TlsFailure::NotTls,
        other => TlsFailure::Other(other.to_string()),
    }
}

fn certificate_failure(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFailure::NotYetValid
        }
        CertificateError::Revoked => TlsFailure::Revoked,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFailure::UnknownIssuer,
        CertificateError::NotValidForName => TlsFailure::WrongName {
            presented: Vec::new(),
        },
        CertificateError::NotValidForNameContext { presented, .. } => TlsFailure::WrongName {
            presented: presented.iter().take(10).map(|name| plain_name(name)).collect(),
        },
        other => TlsFailure::Other(other.to_string()),
    }
}

/// A name out of a stranger's certificate, fit to be printed: `DnsName("mail.example.org")` without its wrapping,
/// and only characters that names have.
fn plain_name(presented: &str) -> String {
    let bare = presented
        .split_once('(')
        .map_or(presented, |(_, rest)| rest.trim_end_matches(')'));
    bare.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-._*:".contains(*c))
        .take(253)
        .collect()
}
