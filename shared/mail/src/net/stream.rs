//! The byte stream to a mail server, plain or encrypted.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::read_ahead::ReadAhead;

/// What a stream made elsewhere must be able to do.
pub trait MailIo: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> MailIo for T {}

/// The byte stream to a mail server. Whatever is written is sent at once (`TCP_NODELAY`), so write a whole command
/// in one call.
pub struct MailStream(Kind);

enum Kind {
    Plain(TcpStream),
    Tls(Box<TlsStream<ReadAhead<TcpStream>>>),
    Made(Box<dyn MailIo>),
}

impl MailStream {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self(Kind::Plain(tcp))
    }

    pub(super) fn tls(tls: TlsStream<ReadAhead<TcpStream>>) -> Self {
        Self(Kind::Tls(Box::new(tls)))
    }

    /// A stream that somebody else made: one end of a pipe in a test, or a tunnel. It counts as encrypted; who
    /// makes it answers for that.
    pub fn made(io: impl MailIo + 'static) -> Self {
        Self(Kind::Made(Box::new(io)))
    }

    /// Whether what is written can be read on the way.
    pub fn is_encrypted(&self) -> bool {
        !matches!(self.0, Kind::Plain(_))
    }

    /// The certificate that the server showed, in DER; `None` without TLS of our own. It was checked at the handshake.
    pub fn certificate(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Tls(tls) => {
                let (_, session) = tls.get_ref();
                session.peer_certificates()?.first().map(AsRef::as_ref)
            }
            Kind::Plain(_) | Kind::Made(_) => None,
        }
    }

    /// The TCP connection below, while it is still in plain text.
    pub(super) fn into_plain(self) -> Option<TcpStream> {
        match self.0 {
            Kind::Plain(tcp) => Some(tcp),
            Kind::Tls(_) | Kind::Made(_) => None,
        }
    }
}

impl fmt::Debug for MailStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Plain(_) => "MailStream(plain)",
            Kind::Tls(_) => "MailStream(TLS)",
            Kind::Made(_) => "MailStream(made)",
        })
    }
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().0 {
            Kind::Plain($stream) => $call,
            Kind::Tls($stream) => $call,
            Kind::Made($stream) => $call,
        }
    };
}

impl AsyncRead for MailStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for MailStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, data))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, data))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Plain(stream) => stream.is_write_vectored(),
            Kind::Tls(stream) => stream.is_write_vectored(),
            Kind::Made(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
