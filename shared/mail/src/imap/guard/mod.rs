//! Reads a server's bytes before the parser does.
//!
//! The parser is good but was not built for enemies: it recurses over nested parentheses until the stack is gone,
//! reserves whatever size a literal announces, and panics on two odd inputs. So every byte passes the [`Scanner`]
//! first. It knows just enough of the grammar to tell literals from lines exactly as the parser does; where the two
//! could come to differ (and bytes could slip by as the body of a literal that the parser does not see), it refuses.

mod attributes;
mod scanner;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ImapLimits;
use scanner::Scanner;

/// Why a server's answer was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// A response outside its literals is too long.
    #[error("a line of its answer has more than {0} bytes")]
    Line(usize),
    /// A literal is too large.
    #[error("it announced {announced} bytes at once; {limit} are allowed")]
    Literal {
        /// The size announced.
        announced: u64,
        /// The size allowed.
        limit: u32,
    },
    /// Too many parentheses.
    #[error("its answer has more than {0} nested lists")]
    Parentheses(u32),
    /// Too much in answer to one command.
    #[error("it sent far more than was asked for")]
    Answer,
    /// Something that was never asked for and is dangerous or impossible to read.
    #[error("its answer is not well formed: {0}")]
    Malformed(&'static str),
}

/// A stream whose incoming bytes are scanned.
pub(super) struct Guard<S> {
    stream: S,
    /// What was read from the stream before the guard took over.
    early: Bytes,
    scanner: Scanner,
}

impl<S> Guard<S> {
    pub(super) fn new(stream: S, early: Bytes, limits: &ImapLimits) -> Self {
        Self {
            stream,
            early,
            scanner: Scanner::new(limits),
        }
    }

    /// Sets how many bytes may still come.
    pub(super) fn set_allowance(&mut self, bytes: u64) {
        self.scanner.allowance = bytes;
    }

    /// How many bytes may still come.
    pub(super) fn allowance(&self) -> u64 {
        self.scanner.allowance
    }
}

impl<S> std::fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.early.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let count = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..count]);
            this.early.advance(count);
        }
        Poll::Ready(
            this.scanner
                .scan(&buf.filled()[before..])
                .map_err(io::Error::other),
        )
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
