//! Larger reads from the socket than the TLS library asks for.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// How much is read from the socket at once, in bytes: two TLS records.
const CHUNK: usize = 32 * 1024;

/// Reads ahead of a TLS session, which asks for 4 KiB at a time: a system call for each would show in a first sync.
/// While nothing is to be read it holds no buffer, because most connections idle.
#[derive(Debug)]
pub(super) struct ReadAhead<S> {
    io: S,
    buffer: BytesMut,
}

impl<S> ReadAhead<S> {
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.buffer.is_empty() {
            if buf.remaining() >= CHUNK {
                return Pin::new(&mut this.io).poll_read(cx, buf);
            }
            this.buffer.reserve(CHUNK);
            match poll_read_buf(Pin::new(&mut this.io), cx, &mut this.buffer) {
                Poll::Ready(read) => {
                    read?;
                }
                Poll::Pending => {
                    this.buffer = BytesMut::new();
                    return Poll::Pending;
                }
            }
        }
        let count = this.buffer.len().min(buf.remaining());
        buf.put_slice(&this.buffer[..count]);
        this.buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.get_mut().io).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_was_written_is_read_and_no_buffer_stays_while_waiting() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut ahead = ReadAhead::new(near);
        let sent: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            far.write_all(&sent).await.unwrap();
            far
        });
        let mut received = vec![0; expected.len()];
        for piece in received.chunks_mut(777) {
            ahead.read_exact(piece).await.unwrap();
        }
        assert_eq!(received, expected);
        let _far = writer.await.unwrap();
        let mut byte = [0; 1];
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(5), ahead.read(&mut byte)).await;
        assert!(waiting.is_err());
        assert_eq!(ahead.buffer.capacity(), 0);
    }
}
