//! Taking a message's body out of the buffer that it was read into, without a copy where that pays.

use bytes::{Bytes, BytesMut};
use imap_proto::{AttributeValue, Response};

/// Bodies from this size on are handed out as a part of the buffer that they were read into, in bytes. Smaller ones
/// are copied, so that a small body does not keep a large buffer.
const SHARED_BODY: usize = 16 * 1024;

/// Where in its buffer a response has a body.
pub(super) enum BodyPlace {
    Empty,
    /// Address and length.
    At(usize, usize),
}

impl BodyPlace {
    /// The body of a FETCH response, if it has one.
    pub(super) fn of(response: &Response<'_>) -> Option<Self> {
        let Response::Fetch(_, attributes) = response else {
            return None;
        };
        attributes.iter().find_map(|attribute| match attribute {
            AttributeValue::BodySection { data: Some(data), .. } if data.is_empty() => Some(Self::Empty),
            AttributeValue::BodySection { data: Some(data), .. } => {
                Some(Self::At(data.as_ptr() as usize, data.len()))
            }
            _ => None,
        })
    }

    /// The body, out of the buffer that begins at `start` in memory.
    pub(super) fn take(self, start: usize, buffer: impl FnOnce() -> BytesMut) -> Option<Bytes> {
        let Self::At(address, length) = self else {
            return Some(Bytes::new());
        };
        let first = address.checked_sub(start)?;
        let buffer = buffer();
        let body = buffer.get(first..first.checked_add(length)?)?;
        if body.len() < SHARED_BODY {
            return Some(Bytes::copy_from_slice(body));
        }
        Some(buffer.freeze().slice(first..first + length))
    }
}
