//! The server: a few lines of state machine over one end of a pipe.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// How the server behaves.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// What it says first.
    pub(crate) greeting: String,
    /// What it can do.
    pub(crate) extensions: Vec<&'static str>,
    /// Answers that differ from the usual ones, by the beginning of the command; `DOT` for the final dot.
    pub(crate) answers: Vec<(&'static str, String)>,
    /// Hang up once this many bytes have been read.
    pub(crate) read_at_most: usize,
    /// Hang up once this many bytes have been written; reading goes on, so a message may yet be taken.
    pub(crate) write_at_most: usize,
}

/// What the server saw, to be compared with what the client believes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Every byte of the client.
    pub(crate) bytes: Vec<u8>,
    /// Messages that the server took responsibility for, as they came over the wire.
    pub(crate) accepted: Vec<Vec<u8>>,
    /// Bytes the server tried to say.
    pub(crate) said: usize,
}

pub(crate) type Observed = Arc<Mutex<Seen>>;

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: "220 mx.example ready".to_owned(),
            extensions: vec![
                "PIPELINING",
                "SIZE 1000000",
                "8BITMIME",
                "AUTH PLAIN LOGIN XOAUTH2",
            ],
            answers: Vec::new(),
            read_at_most: usize::MAX,
            write_at_most: usize::MAX,
        }
    }
}

impl Script {
    pub(crate) fn without(mut self, extension: &str) -> Self {
        self.extensions.retain(|known| !known.starts_with(extension));
        self
    }

    pub(crate) fn with(mut self, extension: &'static str) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn answering(mut self, command: &'static str, answer: impl Into<String>) -> Self {
        self.answers.push((command, answer.into()));
        self
    }

    fn answer(&self, command: &str, usual: &str) -> String {
        let own = self
            .answers
            .iter()
            .find(|(beginning, _)| command.starts_with(beginning));
        format!("{}\r\n", own.map_or(usual, |(_, answer)| answer))
    }

    fn ehlo(&self) -> String {
        let mut lines = vec!["mx.example".to_owned()];
        lines.extend(self.extensions.iter().map(|extension| (*extension).to_owned()));
        let last = lines.len() - 1;
        let lines: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' }))
            .collect();
        lines.join("\r\n")
    }
}

/// Serves one connection until it ends.
pub(crate) fn serve(
    io: impl AsyncRead + AsyncWrite + Send + 'static,
    script: Script,
) -> (Observed, tokio::task::JoinHandle<()>) {
    let observed = Observed::default();
    let seen = observed.clone();
    let task = tokio::spawn(async move {
        let (reader, writer) = tokio::io::split(io);
        // Replies wait in a queue, so that reading never waits for a client that is still writing.
        let (say, replies) = mpsc::unbounded_channel();
        let mut writing = tokio::spawn(write_replies(writer, replies, script.write_at_most));
        let mut server = Server {
            reader,
            script,
            say,
            seen,
            buffer: Vec::new(),
            has_sender: false,
            recipients: 0,
        };
        // Over at the client's end of the stream, or after the last byte it may read.
        let _ = server.run().await;
        drop(server);
        // Hanging up: what the client does not take at once is lost.
        if tokio::time::timeout(Duration::from_millis(3), &mut writing)
            .await
            .is_err()
        {
            writing.abort();
        }
    });
    (observed, task)
}

async fn write_replies(
    mut writer: impl AsyncWrite + Unpin,
    mut replies: mpsc::UnboundedReceiver<String>,
    mut left: usize,
) {
    while let Some(reply) = replies.recv().await {
        let part = &reply.as_bytes()[..reply.len().min(left)];
        left -= part.len();
        if writer.write_all(part).await.is_err() || left == 0 {
            break;
        }
    }
    let _ = writer.shutdown().await;
}

struct Server<R> {
    reader: R,
    script: Script,
    say: mpsc::UnboundedSender<String>,
    seen: Observed,
    buffer: Vec<u8>,
    /// A sender was taken and the message is still to come.
    has_sender: bool,
    /// Recipients taken since then.
    recipients: usize,
}

impl<R: AsyncRead + Unpin> Server<R> {
    async fn run(&mut self) -> Option<()> {
        self.reply(format!("{}\r\n", self.script.greeting));
        loop {
            let line = self.read_to(b"\r\n").await?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.starts_with("AUTH LOGIN") {
                self.reply("334 VXNlcm5hbWU6\r\n".to_owned());
                self.read_to(b"\r\n").await?;
                self.reply("334 UGFzc3dvcmQ6\r\n".to_owned());
                self.read_to(b"\r\n").await?;
            }
            let usual = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => self.script.ehlo(),
                "AUTH" => "235 2.7.0 welcome".to_owned(),
                "DATA" if self.recipients == 0 => "554 5.5.1 no valid recipients".to_owned(),
                "DATA" => "354 go on".to_owned(),
                "QUIT" => "221 bye".to_owned(),
                // The answer to a 334 challenge.
                "" | "AQ==" => "535 5.7.8 refused".to_owned(),
                "RCPT" if !self.has_sender => "503 5.5.1 need MAIL first".to_owned(),
                "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 2.0.0 ok".to_owned(),
                _ => "500 5.5.1 what?".to_owned(),
            };
            let answer = self
                .script
                .answer(if line.is_empty() { "EMPTY" } else { &line }, &usual);
            self.reply(answer.clone());
            match line.get(..4) {
                Some("MAIL" | "RSET") => {
                    self.has_sender = line.starts_with("MAIL") && answer.starts_with('2');
                    self.recipients = 0;
                }
                Some("RCPT") if answer.starts_with('2') => self.recipients += 1,
                _ => {}
            }
            if line == "DATA" && answer.starts_with("354") {
                self.take_message().await?;
            }
            if answer.starts_with("421") || line == "QUIT" {
                return None;
            }
        }
    }

    async fn take_message(&mut self) -> Option<()> {
        let mut message = self.read_to(b"\r\n").await?;
        while !(message == b".\r\n" || message.ends_with(b"\r\n.\r\n")) {
            message.extend(self.read_to(b"\r\n").await?);
        }
        let answer = self.script.answer("DOT", "250 2.0.0 queued");
        if answer.starts_with('2') {
            self.seen.lock().unwrap().accepted.push(message);
        }
        self.reply(answer.clone());
        if answer.starts_with("421") { None } else { Some(()) }
    }

    fn reply(&self, text: String) {
        self.seen.lock().unwrap().said += text.len();
        let _ = self.say.send(text);
    }

    /// Reads up to and including `end`; `None` once no more may be read.
    async fn read_to(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                let rest = self.buffer.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            let left = self.script.read_at_most - self.seen.lock().unwrap().bytes.len();
            let mut chunk = vec![0; left.min(4096)];
            let count = self.reader.read(&mut chunk).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.seen.lock().unwrap().bytes.extend_from_slice(&chunk[..count]);
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }
}
