//! Certificates by which an application proves who it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A self-signed certificate and its RSA key, as PEM files.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key, as PKCS#8.
    pub key: PathBuf,
}

impl ClientCertificate {
    /// Makes one in `directory` that is good for so many days.
    ///
    /// # Errors
    /// If openssl fails.
    pub fn make(directory: &Path, days: u32) -> Result<Self> {
        let made = Self {
            certificate: directory.join("client.pem"),
            key: directory.join("client.key"),
        };
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=Postroom",
            ])
            .args(["-days", &days.to_string()])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate)
            .output()
            .context("openssl")?;
        ensure!(
            output.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(made)
    }
}
