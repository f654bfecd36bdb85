//! The command-and-reply dialogue that SMTP and LMTP share, so plain that a test sees each reply.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may think about one command.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's reply: all its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of the lines, joined by line feeds.
    pub text: String,
}

/// A connection on which commands are sent and replies are read.
#[derive(Debug)]
pub struct Dialogue<S = TcpStream> {
    stream: BufReader<S>,
}

impl Dialogue<TcpStream> {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// If nothing listens there, or the greeting is not 220.
    pub async fn connect(host: &str, port: u16) -> Result<Self> {
        let stream = TcpStream::connect((host, port))
            .await
            .with_context(|| format!("connecting to {host}:{port}"))?;
        Self::greeted(stream).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    /// Takes a connection, TLS for example, and reads the greeting.
    ///
    /// # Errors
    /// If the greeting is not 220.
    pub async fn greeted(stream: S) -> Result<Self> {
        let mut dialogue = Self::resumed(stream);
        dialogue.reply().await?.expect_code(220)?;
        Ok(dialogue)
    }

    /// Takes a connection on which the server says nothing by itself, as after STARTTLS.
    pub fn resumed(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Gives the connection back.
    pub fn into_inner(self) -> S {
        self.stream.into_inner()
    }

    /// Sends one line and reads the reply.
    ///
    /// # Errors
    /// If the connection ends or the server is silent for 30 seconds.
    pub async fn command(&mut self, line: &str) -> Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Sends a message after `DATA` was answered with 354, without reading the reply: LMTP sends one per recipient.
    ///
    /// # Errors
    /// If the connection ends.
    pub async fn send_message(&mut self, raw: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(raw.len() + raw.len() / 64 + 5);
        for line in raw.split_inclusive(|&byte| byte == b'\n') {
            // RFC 5321, section 4.5.2: a line that begins with a dot gets another one
            if line.starts_with(b".") {
                bytes.push(b'.');
            }
            bytes.extend_from_slice(line);
        }
        if !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b".\r\n");
        self.send(&bytes).await
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// If the connection ends, the server is silent for 30 seconds, or what it says is not a reply.
    pub async fn reply(&mut self) -> Result<Reply> {
        let mut text = Vec::new();
        loop {
            let mut line = String::new();
            timeout(PATIENCE, self.stream.read_line(&mut line))
                .await
                .context("the server did not reply in time")??;
            ensure!(line.ends_with('\n'), "the server closed the connection");
            let line = line.trim_end();
            let (Some(code), rest) = (line.get(..3).and_then(|code| code.parse().ok()), line.get(4..)) else {
                bail!("not a reply: {line:?}")
            };
            text.push(rest.unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply {
                    code,
                    text: text.join("\n"),
                });
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes).await?;
        self.stream.get_mut().flush().await?;
        Ok(())
    }
}

impl Reply {
    /// The reply itself if it has this code.
    ///
    /// # Errors
    /// If it has another one; the error holds the server's words.
    pub fn expect_code(self, code: u16) -> Result<Self> {
        ensure!(
            self.code == code,
            "expected {code}, but the server said {} {}",
            self.code,
            self.text
        );
        Ok(self)
    }
}
