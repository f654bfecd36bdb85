//! The first words of a server, and STARTTLS: what is said before anything may be trusted.

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::capability::Capabilities;
use super::error::{ImapError, ImapErrorKind};
use super::limits::ImapLimits;
use super::server_text::{ServerText, printable};
use crate::net::{Connector, Endpoint, LineError, Lines, MailStream, TlsMode};

/// The longest line before sign-in, in bytes.
const MAX_LINE: usize = 8 * 1024;
/// How many untagged lines a server may send before it answers STARTTLS.
const MAX_LINES: usize = 20;

/// A stream on which the server has introduced itself.
pub(super) struct Greeted {
    pub(super) stream: MailStream,
    /// What was read beyond the greeting.
    pub(super) early: Bytes,
    /// What the greeting says is offered, if it says so and could be trusted.
    pub(super) offered: Capabilities,
}

/// Reads the greeting of an encrypted connection, or greeting and STARTTLS of a plain one.
pub(super) async fn greet(
    connector: Option<&Connector>,
    endpoint: &Endpoint,
    stream: MailStream,
    limits: &ImapLimits,
) -> Result<Greeted, ImapError> {
    let mut lines = Lines::new(stream);
    let line = next(&mut lines, endpoint, limits, "the greeting").await?;
    let text = String::from_utf8_lossy(&line);
    judge(endpoint, &text)?;
    if let (Some(connector), TlsMode::StartTls) = (connector, endpoint.tls) {
        let (stream, early) = start_tls(connector, endpoint, lines, limits).await?;
        // What was said in plain text may have been said by anybody.
        return Ok(Greeted {
            stream,
            early,
            offered: Capabilities::default(),
        });
    }
    let offered = Capabilities::from_greeting(&text);
    let (stream, early) = lines.into_parts();
    Ok(Greeted {
        stream,
        early: early.into(),
        offered,
    })
}

fn judge(endpoint: &Endpoint, line: &str) -> Result<(), ImapError> {
    let upper = line.to_ascii_uppercase();
    let kind = if upper == "* OK" || upper.starts_with("* OK ") {
        return Ok(());
    } else if upper.starts_with("* PREAUTH") {
        ImapErrorKind::AlreadySignedIn
    } else if upper.starts_with("* BYE") {
        ImapErrorKind::Bye {
            answer: ServerText::read(line.get(5..).unwrap_or_default().trim()),
        }
    } else {
        ImapErrorKind::NotImap {
            seen: printable(line).chars().take(60).collect(),
        }
    };
    Err(ImapError::new(endpoint, kind))
}

async fn start_tls(
    connector: &Connector,
    endpoint: &Endpoint,
    mut lines: Lines,
    limits: &ImapLimits,
) -> Result<(MailStream, Bytes), ImapError> {
    let command = lines.stream().write_all(b"P0 STARTTLS\r\n");
    if !matches!(timeout(limits.response_time, command).await, Ok(Ok(()))) {
        return Err(ImapError::new(
            endpoint,
            ImapErrorKind::Lost { command: "STARTTLS" },
        ));
    }
    for _ in 0..MAX_LINES {
        let line = next(&mut lines, endpoint, limits, "STARTTLS").await?;
        let text = String::from_utf8_lossy(&line).to_ascii_uppercase();
        let Some(answer) = text.strip_prefix("P0 ") else {
            continue;
        };
        if answer != "OK" && !answer.starts_with("OK ") {
            return Err(ImapError::new(endpoint, ImapErrorKind::StartTlsNotOffered));
        }
        let (stream, early) = lines.into_parts();
        let stream = connector.start_tls(endpoint, stream, &early).await?;
        return Ok((stream, Bytes::new()));
    }
    let what = "too many lines before the answer to STARTTLS".into();
    Err(ImapError::new(endpoint, ImapErrorKind::Protocol { what }))
}

async fn next(
    lines: &mut Lines,
    endpoint: &Endpoint,
    limits: &ImapLimits,
    step: &'static str,
) -> Result<Vec<u8>, ImapError> {
    lines.next(MAX_LINE, limits.response_time).await.map_err(|error| {
        let kind = match error {
            LineError::TooLong(_) => ImapErrorKind::NotImap {
                seen: "a very long line".into(),
            },
            LineError::TimedOut(after) => ImapErrorKind::TimedOut { command: step, after },
            LineError::Closed | LineError::Io(_) => ImapErrorKind::Lost { command: step },
        };
        ImapError::new(endpoint, kind)
    })
}
