//! A TLS connection to an IMAP server that reads lines and skips literals, and no more.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Server;

/// Room for what is read at once.
const BUFFER: usize = 256 * 1024;
/// A line longer than this is not from a server that we started.
const LONGEST_LINE: usize = 64 * 1024;

/// An open connection.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    /// Bytes received so far, without TLS.
    pub(crate) received: u64,
}

impl Connection {
    /// Connects, signs in and reads the greeting.
    pub(crate) async fn sign_in(server: &Server) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in
            CertificateDer::pem_file_iter(&server.ca).context("the authority's file cannot be read")?
        {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect((server.host.as_str(), server.port))
            .await
            .context("cannot connect")?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(server.host.clone())?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .context("TLS failed")?;
        let mut connection = Self {
            stream,
            buffer: BytesMut::with_capacity(BUFFER),
            received: 0,
        };
        connection.line().await?;
        let login = format!("LOGIN {} {}", quoted(&server.user)?, quoted(&server.password)?);
        connection
            .command(&login, |_, _| ())
            .await
            .context("signing in failed")?;
        Ok(connection)
    }

    /// Sends a command and gives each untagged line (without literals' content) and the length of the literal that ends it, if
    /// one does, to `seen`, until the command is answered with OK.
    pub(crate) async fn command(
        &mut self,
        command: &str,
        mut seen: impl FnMut(&[u8], Option<usize>),
    ) -> Result<()> {
        self.stream
            .write_all(format!("a {command}\r\n").as_bytes())
            .await?;
        self.stream.flush().await?;
        loop {
            let line = self.line().await?;
            if let Some(answer) = line.strip_prefix(b"a ") {
                ensure!(
                    answer.starts_with(b"OK"),
                    "the server answered {}",
                    String::from_utf8_lossy(answer)
                );
                return Ok(());
            }
            let literal = literal_length(&line);
            seen(&line, literal);
            self.skip(literal.unwrap_or_default()).await?;
        }
    }

    async fn line(&mut self) -> Result<BytesMut> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(searched + at + 1);
                line.truncate(line.len().saturating_sub(2));
                return Ok(line);
            }
            searched = self.buffer.len();
            ensure!(
                searched <= LONGEST_LINE,
                "the server sent a line that does not end"
            );
            self.fill().await?;
        }
    }

    async fn skip(&mut self, mut octets: usize) -> Result<()> {
        loop {
            let here = octets.min(self.buffer.len());
            self.buffer.advance(here);
            octets -= here;
            if octets == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            self.buffer.clear();
        }
        self.buffer.reserve(BUFFER / 4);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("the server closed the connection"),
            read => self.received += read as u64,
        }
        Ok(())
    }
}

/// The length announced by `{n}` at the end of a line (RFC 9051 section 4.3).
fn literal_length(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&inner[open + 1..]).ok()?.parse().ok()
}

fn quoted(text: &str) -> Result<String> {
    ensure!(
        !text.contains(['\r', '\n', '\0']),
        "a user name or password with a line end or NUL"
    );
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_known_by_the_end_of_its_line() {
        assert_eq!(literal_length(b"* 1 FETCH (UID 7 BODY[] {1234}"), Some(1234));
        assert_eq!(literal_length(b"* 1 FETCH (UID 7 FLAGS ())"), None);
        assert_eq!(literal_length(b"* OK {x}"), None);
    }

    #[test]
    fn quoting_keeps_a_command_one_line() {
        assert_eq!(quoted("a\"b\\c").unwrap(), "\"a\\\"b\\\\c\"");
        assert!(quoted("a\r\nb LOGOUT").is_err());
    }
}
