//! Commands out, replies in: the only place that reads from or writes to the connection. Every read has a limit and
//! a time-out, every write a time-out.

use super::reply::{MAX_LINE, ReplyBuilder, ReplyError, SmtpReply};
use crate::net::MailStream;
use futures::FutureExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// A dialogue that broke off. Nothing more can be said on this connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DialogueError {
    #[error("the server closed the connection")]
    Closed,
    #[error("the server did not answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    #[error("the connection failed ({0})")]
    Io(io::ErrorKind),
    #[error("{0}")]
    BadReply(#[from] ReplyError),
    #[error("a reply line is longer than {MAX_LINE} bytes")]
    LineTooLong,
}

/// What the server did without being asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    Nothing,
    /// It said something; at most one reply is read.
    Said,
    Closed,
}

/// How much is read at once.
const READ_SIZE: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Dialogue {
    stream: MailStream,
    /// What has been read, from `used` on not yet looked at.
    buffer: Vec<u8>,
    used: usize,
}

impl Dialogue {
    pub(super) fn new(stream: MailStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            used: 0,
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// The stream, and what the server sent beyond its last reply.
    pub(super) fn into_parts(self) -> (MailStream, Vec<u8>) {
        let rest = self.buffer.get(self.used..).unwrap_or_default().to_vec();
        (self.stream, rest)
    }

    /// Sends all of `bytes` in one go.
    pub(super) async fn send(&mut self, bytes: &[u8], time_out: Duration) -> Result<(), DialogueError> {
        self.send_counting(bytes, time_out, &mut 0).await
    }

    /// Like [`Dialogue::send`]; `sent` counts what was handed to the connection, also when it fails. Bytes that were
    /// not handed over have certainly not left.
    pub(super) async fn send_counting(
        &mut self,
        bytes: &[u8],
        time_out: Duration,
        sent: &mut usize,
    ) -> Result<(), DialogueError> {
        *sent = 0;
        while *sent < bytes.len() {
            match timeout(time_out, self.stream.write(&bytes[*sent..])).await {
                Ok(Ok(0)) => return Err(DialogueError::Closed),
                Ok(Ok(count)) => *sent += count,
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(DialogueError::TimedOut(time_out)),
            }
        }
        match timeout(time_out, self.stream.flush()).await {
            Ok(flushed) => Ok(flushed?),
            Err(_) => Err(DialogueError::TimedOut(time_out)),
        }
    }

    /// The next reply, complete, within `time_out`.
    pub(super) async fn reply(&mut self, time_out: Duration) -> Result<SmtpReply, DialogueError> {
        match timeout(time_out, self.read_reply()).await {
            Ok(reply) => reply,
            Err(_) => Err(DialogueError::TimedOut(time_out)),
        }
    }

    async fn read_reply(&mut self) -> Result<SmtpReply, DialogueError> {
        let mut builder = ReplyBuilder::default();
        let mut searched = self.used;
        loop {
            while let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                let line = &self.buffer[self.used..searched + at];
                if line.len() > MAX_LINE {
                    return Err(DialogueError::LineTooLong);
                }
                let reply = builder.push(line.strip_suffix(b"\r").unwrap_or(line))?;
                self.used = searched + at + 1;
                searched = self.used;
                if let Some(reply) = reply {
                    return Ok(reply);
                }
            }
            if self.buffer.len() - self.used > MAX_LINE {
                return Err(DialogueError::LineTooLong);
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            searched = self.buffer.len();
            self.buffer.reserve(READ_SIZE);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(DialogueError::Closed);
            }
        }
    }

    /// Looks, without waiting, whether the server spoke or hung up although nothing was asked.
    pub(super) fn unasked(&mut self) -> Unasked {
        if self.used < self.buffer.len() {
            return Unasked::Said;
        }
        self.buffer.clear();
        self.used = 0;
        self.buffer.reserve(READ_SIZE);
        match self.stream.read_buf(&mut self.buffer).now_or_never() {
            None => Unasked::Nothing,
            Some(Ok(0) | Err(_)) => Unasked::Closed,
            Some(Ok(_)) => Unasked::Said,
        }
    }

    /// Ends the connection politely, as far as the other side plays along.
    pub(super) async fn close(&mut self, time_out: Duration) {
        let _ = timeout(time_out, self.stream.shutdown()).await;
    }
}

impl From<io::Error> for DialogueError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            kind => Self::Io(kind),
        }
    }
}
