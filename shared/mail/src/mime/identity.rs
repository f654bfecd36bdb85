//! Which locations hold the same message. Never the Message-ID alone: senders repeat it, and it can be forged.

use sha2::{Digest, Sha256};

/// What identifies a message within its account, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentitySource<'a> {
    /// Gmail's `X-GM-MSGID`.
    Gmail(u64),
    /// `EMAILID` of a server with OBJECTID (RFC 8474 section 5.1).
    EmailId(&'a str),
    /// Any other server: the message's own Message-ID, length and header block.
    Content {
        /// `Message-ID`, if it has one.
        message_id: Option<&'a str>,
        /// The raw message, all of it.
        raw: &'a [u8],
    },
}

/// The identity of a message: a digest, so that it is one short key whatever it was made from.
pub fn identity(source: IdentitySource<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    // The first byte keeps the kinds apart, the lengths keep the fields apart.
    match source {
        IdentitySource::Gmail(id) => {
            digest.update([1]);
            digest.update(id.to_be_bytes());
        }
        IdentitySource::EmailId(id) => {
            digest.update([2]);
            digest.update(id.as_bytes());
        }
        IdentitySource::Content { message_id, raw } => {
            let message_id = message_id.unwrap_or_default();
            digest.update([3]);
            digest.update((message_id.len() as u64).to_be_bytes());
            digest.update(message_id.as_bytes());
            digest.update((raw.len() as u64).to_be_bytes());
            digest.update(super::structure::header_block(raw));
        }
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_message_same_identity_and_nothing_else() {
        let raw = b"Message-ID: <1@x>\r\nSubject: a\r\n\r\nbody";
        let of = |message_id, raw| identity(IdentitySource::Content { message_id, raw });
        assert_eq!(of(Some("1@x"), raw), of(Some("1@x"), raw));
        assert_ne!(of(Some("1@x"), raw), of(None, raw));
        assert_ne!(
            of(Some("1@x"), raw),
            of(Some("1@x"), b"Message-ID: <1@x>\r\nSubject: b\r\n\r\nbody")
        );
        assert_ne!(
            of(Some("1@x"), raw),
            of(Some("1@x"), b"Message-ID: <1@x>\r\nSubject: a\r\n\r\nlonger")
        );
        assert_ne!(
            identity(IdentitySource::Gmail(7)),
            identity(IdentitySource::EmailId("7"))
        );
    }
}
