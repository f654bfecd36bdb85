//! MIME parts (RFC 2045, 2046) and how they are written down.

use crate::charset::Charset;
use crate::random::Random;
use crate::transfer::Transfer;

/// A part of a message: its header fields about content, and what they describe.
pub(crate) struct Part {
    head: String,
    body: Body,
}

enum Body {
    Octets(Vec<u8>),
    Parts { boundary: String, parts: Vec<Part> },
}

impl Part {
    /// A part with its own header fields, whose octets are already as they travel.
    pub(crate) fn raw(head: String, octets: Vec<u8>) -> Self {
        Self {
            head,
            body: Body::Octets(octets),
        }
    }

    /// Text in a charset that holds it; `kind` is the media type with any parameters of its own.
    pub(crate) fn text(kind: &str, text: &str, charset: Charset, random: &mut Random) -> Self {
        let octets = charset.encode(text).unwrap_or_else(|| text.as_bytes().to_vec());
        // ISO-2022-JP was made for seven-bit mail and travels as it is (RFC 1468).
        let transfer = match charset {
            Charset::Iso2022Jp => Transfer::SevenBit,
            _ => Transfer::for_text(&octets, random),
        };
        let head = format!(
            "Content-Type: {kind}; charset={}\r\nContent-Transfer-Encoding: {}\r\n",
            charset.label(),
            transfer.label()
        );
        Self::raw(head, transfer.apply(octets))
    }

    /// Parts under one boundary. `kind` is what follows `multipart/`, with any parameters of its own.
    pub(crate) fn multipart(kind: &str, parts: Vec<Part>, random: &mut Random) -> Self {
        let boundary = format!("=_{:016x}.{:08x}", random.next(), random.next() as u32);
        let head = format!("Content-Type: multipart/{kind};\r\n\tboundary=\"{boundary}\"\r\n");
        Self {
            head,
            body: Body::Parts { boundary, parts },
        }
    }

    /// Adds the part's fields, the empty line and the content to `out`, ending at a line's end.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(b"\r\n");
        match &self.body {
            Body::Octets(octets) => {
                out.extend_from_slice(octets);
                if !octets.ends_with(b"\r\n") {
                    out.extend_from_slice(b"\r\n");
                }
            }
            Body::Parts { boundary, parts } => {
                for part in parts {
                    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    part.write(out);
                }
                out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            }
        }
    }
}
