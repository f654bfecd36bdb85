//! TLS: good on one address, wrong in its own way on each of the others.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use postroom_test_support::{Dialogue, Testbed};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Wraps a connection in TLS and checks the certificate against the testbed's authority.
pub(crate) async fn wrap(testbed: &Testbed, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&testbed.ca_file)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

async fn imaps_greeting(testbed: &Testbed, host: &str) -> Result<String> {
    let stream = TcpStream::connect((host, testbed.imap.tls_port)).await?;
    let mut greeting = String::new();
    BufReader::new(wrap(testbed, host, stream).await?)
        .read_line(&mut greeting)
        .await?;
    Ok(greeting)
}

/// STARTTLS on a submission port, up to the EHLO after it.
pub(crate) async fn submission(testbed: &Testbed, host: &str) -> Result<Dialogue<TlsStream<TcpStream>>> {
    let mut plain = Dialogue::connect(host, testbed.submission.starttls_port).await?;
    let offered = plain.command("EHLO localhost").await?.expect_code(250)?;
    if !offered.text.contains("STARTTLS") {
        bail!("no STARTTLS in {}", offered.text);
    }
    plain.command("STARTTLS").await?.expect_code(220)?;
    let mut secure = Dialogue::resumed(wrap(testbed, host, plain.into_inner()).await?);
    secure.command("EHLO localhost").await?.expect_code(250)?;
    Ok(secure)
}

#[tokio::test]
async fn the_good_hosts_certificate_is_good_on_all_four_ports() -> Result<()> {
    let testbed = Testbed::load()?;
    assert!(
        imaps_greeting(&testbed, &testbed.imap.host)
            .await?
            .starts_with("* OK")
    );
    submission(&testbed, &testbed.submission.host).await?;
    let stream = TcpStream::connect((testbed.submission.host.as_str(), testbed.submission.tls_port)).await?;
    Dialogue::greeted(wrap(&testbed, &testbed.submission.host, stream).await?).await?;
    let mut imap = testbed.imap_client().await?;
    let offered = imap.command("CAPABILITY").await?.ok()?;
    assert!(offered.lines[0].text.contains("STARTTLS"), "{offered:?}");
    Ok(())
}

#[tokio::test]
async fn each_faulty_host_has_its_own_fault() -> Result<()> {
    let testbed = Testbed::load()?;
    let hosts = &testbed.faulty_hosts;
    for (host, fault) in [
        (&hosts.expired, "Expired"),
        (&hosts.foreign, "UnknownIssuer"),
        (&hosts.misnamed, "not valid for name"),
    ] {
        for error in [
            imaps_greeting(&testbed, host).await.err().context("IMAP")?,
            submission(&testbed, host).await.err().context("submission")?,
        ] {
            assert!(
                format!("{error:#}").contains(fault),
                "{host}: expected {fault}, got {error:#}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_plain_host_offers_no_tls() -> Result<()> {
    let testbed = Testbed::load()?;
    let host = &testbed.faulty_hosts.plain;
    let error = submission(&testbed, host).await.unwrap_err();
    assert!(format!("{error:#}").starts_with("no STARTTLS"), "{error:#}");
    let mut greeting = String::new();
    let imap = TcpStream::connect((host.as_str(), testbed.imap.starttls_port)).await?;
    BufReader::new(imap).read_line(&mut greeting).await?;
    assert!(
        greeting.starts_with("* OK") && !greeting.contains("STARTTLS"),
        "{greeting}"
    );
    Ok(())
}
