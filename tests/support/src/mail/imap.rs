//! A small IMAP client for tests, so plain that a test sees each line. It speaks without TLS: it is for looking
//! at the testbed's servers, not for showing how a client should behave.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{TestUser, Testbed};

/// How long the server may think about one line.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImapStatus {
    /// Done.
    Ok,
    /// Refused.
    No,
    /// Not understood.
    Bad,
}

/// An untagged line.
#[derive(Clone, Debug)]
pub struct ImapLine {
    /// The line; of each literal only its `{size}` stands in it.
    pub text: String,
    /// The literals in their order.
    pub literals: Vec<Vec<u8>>,
}

/// All that the server said to one command.
#[derive(Clone, Debug)]
pub struct ImapReply {
    /// How the command ended.
    pub status: ImapStatus,
    /// The words of the tagged line after the status.
    pub text: String,
    /// The untagged lines, without `* `.
    pub lines: Vec<ImapLine>,
    /// The last challenge of AUTHENTICATE, decoded: a refused token gets one that says why.
    pub challenge: Option<String>,
}

/// An IMAP session.
#[derive(Debug)]
pub struct ImapClient {
    stream: BufReader<TcpStream>,
    commands: u32,
}

/// The initial response of XOAUTH2.
#[must_use]
pub fn xoauth2(address: &str, access_token: &str) -> String {
    format!("user={address}\x01auth=Bearer {access_token}\x01\x01")
}

/// The initial response of OAUTHBEARER (RFC 7628, section 3.1).
#[must_use]
pub fn oauthbearer(address: &str, access_token: &str) -> String {
    format!("n,a={address},\x01auth=Bearer {access_token}\x01\x01")
}

impl Testbed {
    /// Connects to Dovecot without signing in.
    ///
    /// # Errors
    /// If Dovecot does not greet.
    pub async fn imap_client(&self) -> Result<ImapClient> {
        let stream = TcpStream::connect((self.imap.host.as_str(), self.imap.starttls_port)).await?;
        stream.set_nodelay(true)?;
        let mut client = ImapClient {
            stream: BufReader::new(stream),
            commands: 0,
        };
        let greeting = client.line().await?;
        ensure!(
            greeting.text.starts_with("* OK"),
            "not greeted: {}",
            greeting.text
        );
        Ok(client)
    }

    /// Connects to Dovecot and signs in with the user's password.
    ///
    /// # Errors
    /// If Dovecot refuses.
    pub async fn imap_session(&self, user: &TestUser) -> Result<ImapClient> {
        let mut client = self.imap_client().await?;
        client
            .command(&format!("LOGIN {} {}", user.address, user.password))
            .await?
            .ok()?;
        Ok(client)
    }
}

impl ImapClient {
    /// Sends a command without its tag and reads up to the tagged line.
    ///
    /// # Errors
    /// If the connection ends or the server is silent for a minute. A refused command is no error here: see
    /// [`ImapReply::ok`].
    pub async fn command(&mut self, command: &str) -> Result<ImapReply> {
        self.exchange(command, b"").await
    }

    /// Signs in with a SASL mechanism and its initial response. A challenge, which only a refusal brings, is answered
    /// as the mechanism wants it: by an empty line, for OAUTHBEARER by a single byte 0x01.
    ///
    /// # Errors
    /// As [`ImapClient::command`].
    pub async fn authenticate(&mut self, mechanism: &str, initial_response: &str) -> Result<ImapReply> {
        let answer: &[u8] = if mechanism == "OAUTHBEARER" { b"\x01" } else { b"" };
        self.exchange(
            &format!("AUTHENTICATE {mechanism} {}", STANDARD.encode(initial_response)),
            answer,
        )
        .await
    }

    async fn exchange(&mut self, command: &str, answer: &[u8]) -> Result<ImapReply> {
        self.commands += 1;
        let tag = format!("t{} ", self.commands);
        self.send(format!("{tag}{command}\r\n").as_bytes()).await?;
        let (mut lines, mut challenge) = (Vec::new(), None);
        loop {
            let line = self.line().await?;
            if let Some(text) = line.text.strip_prefix("* ") {
                lines.push(ImapLine {
                    text: text.to_owned(),
                    literals: line.literals,
                });
            } else if let Some(text) = line.text.strip_prefix("+ ") {
                challenge = Some(String::from_utf8(STANDARD.decode(text)?)?);
                self.send(format!("{}\r\n", STANDARD.encode(answer)).as_bytes())
                    .await?;
            } else if let Some(end) = line.text.strip_prefix(&tag) {
                let (status, text) = end.split_once(' ').unwrap_or((end, ""));
                return Ok(ImapReply {
                    status: status_named(status)?,
                    text: text.to_owned(),
                    lines,
                    challenge,
                });
            } else {
                bail!("not understood: {:?}", line.text);
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes).await?)
    }

    /// Reads one line with its literals (RFC 9051, section 4.3).
    async fn line(&mut self) -> Result<ImapLine> {
        let mut line = ImapLine {
            text: String::new(),
            literals: Vec::new(),
        };
        loop {
            let mut part = Vec::new();
            timeout(PATIENCE, self.stream.read_until(b'\n', &mut part))
                .await
                .context("the server fell silent")??;
            ensure!(
                part.ends_with(b"\n"),
                "the server closed the connection after {:?}",
                line.text
            );
            line.text.push_str(String::from_utf8_lossy(&part).trim_end());
            let Some(size) = literal_size(&line.text) else {
                return Ok(line);
            };
            let mut literal = vec![0; size];
            timeout(PATIENCE, self.stream.read_exact(&mut literal))
                .await
                .context("the literal did not end")??;
            line.literals.push(literal);
        }
    }
}

impl ImapReply {
    /// The reply itself if the command was carried out.
    ///
    /// # Errors
    /// If it was refused; the error holds the server's words.
    pub fn ok(self) -> Result<Self> {
        ensure!(
            self.status == ImapStatus::Ok,
            "the server said {:?} {}",
            self.status,
            self.text
        );
        Ok(self)
    }
}

fn status_named(word: &str) -> Result<ImapStatus> {
    Ok(match word {
        "OK" => ImapStatus::Ok,
        "NO" => ImapStatus::No,
        "BAD" => ImapStatus::Bad,
        other => bail!("a command ended with {other:?}"),
    })
}

fn literal_size(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}
