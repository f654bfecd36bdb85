//! A server that says what a test wants, for what Dovecot will not do on command. Not a model of a real server.

use postroom_mail::imap::{ImapConnection, ImapError, ImapLimits, ImapSession};
use postroom_mail::net::{Endpoint, HostName, MailStream};
use postroom_mail::sasl::SignIn;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// What the server says when it reads a line with this in it: `TAG` in the answer becomes the tag of the command
/// under way.
pub(crate) type Step = (&'static str, Vec<u8>);

pub(crate) fn step(expected: &'static str, answer: impl AsRef<[u8]>) -> Step {
    (expected, answer.as_ref().to_vec())
}

pub(crate) fn endpoint() -> Endpoint {
    Endpoint::implicit(HostName::parse("imap.example.test").unwrap(), 993)
}

pub(crate) fn sign_in() -> SignIn {
    SignIn::Password {
        login: "user".into(),
        secret: "secret".into(),
    }
}

/// Small enough that a test reaches them quickly.
pub(crate) fn limits() -> ImapLimits {
    ImapLimits {
        line: 64 * 1024,
        literal: 1024 * 1024,
        answer: 4 * 1024 * 1024,
        response_time: std::time::Duration::from_secs(2),
        slow_response_time: std::time::Duration::from_secs(2),
        ..ImapLimits::default()
    }
}

/// Plays a greeting and steps. At a line that is not the expected one it hangs up, with what it expected on stderr.
async fn play(server: DuplexStream, greeting: Vec<u8>, steps: Vec<Step>) {
    let (reading, mut writing) = tokio::io::split(server);
    let mut lines = BufReader::new(reading).lines();
    // The client may have had enough before all is written.
    let _ = writing.write_all(&greeting).await;
    let mut tag = String::new();
    for (expected, answer) in steps {
        let line = lines.next_line().await.ok().flatten().unwrap_or_default();
        assert!(
            line.contains(expected),
            "expected {expected:?}, the client said {line:?}"
        );
        let first = line.split(' ').next().unwrap_or_default();
        if first
            .strip_prefix('P')
            .is_some_and(|number| number.parse::<u32>().is_ok())
        {
            tag = first.to_owned();
        }
        let _ = writing.write_all(&with_tag(&answer, &tag)).await;
    }
    // Stays open until the client leaves: an end of the stream would be another story.
    while lines.next_line().await.ok().flatten().is_some() {}
}

fn with_tag(answer: &[u8], tag: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = answer;
    while let Some(at) = rest.windows(3).position(|window| window == b"TAG") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(tag.as_bytes());
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest);
    out
}

/// Connects to a server that greets like this.
pub(crate) async fn connect(
    greeting: impl AsRef<[u8]>,
    steps: Vec<Step>,
) -> Result<ImapConnection, ImapError> {
    let (client, server) = tokio::io::duplex(16 * 1024);
    tokio::spawn(play(server, greeting.as_ref().to_vec(), steps));
    ImapConnection::over(MailStream::made(client), &endpoint(), limits()).await
}

/// Signs in at a server that offers `capabilities` and then does `steps`.
pub(crate) async fn session(capabilities: &str, steps: Vec<Step>) -> ImapSession {
    let offered = format!("* CAPABILITY IMAP4rev1 {capabilities}\r\nTAG OK done\r\n");
    let mut all = vec![step("LOGIN", "TAG OK in\r\n"), step("CAPABILITY", offered)];
    all.extend(steps);
    let connection = connect("* OK [CAPABILITY IMAP4rev1] hello\r\n", all)
        .await
        .unwrap();
    connection.sign_in(&sign_in()).await.unwrap()
}

/// The answer to SELECT of a folder with `exists` messages.
pub(crate) fn selected(exists: u32) -> Step {
    step(
        "SELECT",
        format!("* {exists} EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\nTAG OK [READ-WRITE] done\r\n"),
    )
}
