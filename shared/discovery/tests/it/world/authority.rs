//! A certificate authority that makes out certificates to whatever name a client asks for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: tempfile::TempDir,
    /// Names for which a certificate of another name is given.
    misnamed: Mutex<HashMap<String, String>>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "The world's authority");
        let key = KeyPair::generate().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            directory,
            misnamed: Mutex::default(),
            made: Mutex::default(),
        }
    }

    /// The authority's certificate, as a file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Trusts another authority too.
    pub(crate) fn trust_also(&self, other: &std::path::Path) {
        let both = [std::fs::read(self.file()).unwrap(), std::fs::read(other).unwrap()].concat();
        std::fs::write(self.file(), both).unwrap();
    }

    /// Whoever asks for `name` gets the certificate of `other`.
    pub(crate) fn misname(&self, name: &str, other: &str) {
        self.misnamed
            .lock()
            .unwrap()
            .insert(name.to_owned(), other.to_owned());
    }

    /// TLS for a server with certificates of this authority.
    pub(crate) fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Names(Arc::clone(self))));
        Arc::new(config)
    }

    fn certificate(&self, name: &str) -> Arc<CertifiedKey> {
        let misnamed = self.misnamed.lock().unwrap().get(name).cloned();
        let name = misnamed.unwrap_or_else(|| name.to_owned());
        let mut made = self.made.lock().unwrap();
        Arc::clone(made.entry(name.clone()).or_insert_with(|| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name]).unwrap();
            let certificate = params.signed_by(&key, &self.issuer).unwrap();
            let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
            let signing = aws_lc_rs::sign::any_ecdsa_type(&private).unwrap();
            Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing))
        }))
    }
}

#[derive(Debug)]
struct Names(Arc<Authority>);

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.certificate(hello.server_name().unwrap_or("127.0.0.1")))
    }
}
