//! The message as [`super::SmtpSession::begin`] takes it: a stream of bytes and the two facts to announce before.

use tokio::io::AsyncRead;

/// A raw message to send.
#[derive(Debug)]
pub struct MessageBody<R> {
    pub(super) reader: R,
    pub(super) size: u64,
    pub(super) eight_bit: bool,
}

impl<'b> MessageBody<&'b [u8]> {
    /// A message held in memory.
    pub fn from_bytes(raw: &'b [u8]) -> Self {
        Self {
            reader: raw,
            size: raw.len() as u64,
            eight_bit: !raw.is_ascii(),
        }
    }
}

impl<R: AsyncRead + Unpin> MessageBody<R> {
    /// A message that is read while it is sent: its length in bytes, and whether it may hold bytes outside ASCII.
    pub fn from_reader(reader: R, size: u64, eight_bit: bool) -> Self {
        Self {
            reader,
            size,
            eight_bit,
        }
    }
}
