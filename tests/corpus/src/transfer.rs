//! Content-Transfer-Encodings (RFC 2045 section 6).

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::random::Random;

/// How the octets of a part travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    SevenBit,
    EightBit,
    QuotedPrintable,
    Base64,
}

/// Octets in one full line of base64: 76 characters.
const BASE64_LINE_OCTETS: usize = 57;
/// Longest line of quoted-printable before its soft break's `=`.
const QUOTED_LINE: usize = 75;

impl Transfer {
    /// One that fits these octets of text, as mail programs choose it.
    pub(crate) fn for_text(bytes: &[u8], random: &mut Random) -> Self {
        let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
        match high * 100 / bytes.len().max(1) {
            _ if high == 0 => random.pick_weighted(&[(Self::SevenBit, 65), (Self::QuotedPrintable, 35)]),
            0..20 => random.pick_weighted(&[
                (Self::EightBit, 40),
                (Self::QuotedPrintable, 52),
                (Self::Base64, 8),
            ]),
            _ => random.pick_weighted(&[(Self::EightBit, 40), (Self::Base64, 60)]),
        }
    }

    /// The value of its header field.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// The octets as they travel. Text has CRLF at its line ends already.
    pub(crate) fn apply(self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::SevenBit | Self::EightBit => bytes,
            Self::QuotedPrintable => quoted_printable(&bytes),
            Self::Base64 => base64_lines(&bytes),
        }
    }
}

/// Base64 in lines of 76 characters.
pub(crate) fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / BASE64_LINE_OCTETS * 78 + 80);
    let mut line = [0_u8; 76];
    for chunk in bytes.chunks(BASE64_LINE_OCTETS) {
        if let Ok(written) = BASE64_STANDARD.encode_slice(chunk, &mut line) {
            out.extend_from_slice(&line[..written]);
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    let mut column = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'\r' || byte == b'\n' {
            out.push(byte);
            column = 0;
            continue;
        }
        let before_break = bytes.get(at + 1).is_none_or(|next| *next == b'\r');
        let plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (byte == b' ' && !before_break);
        let width = if plain { 1 } else { 3 };
        if column + width > QUOTED_LINE {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        column += width;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_breaks_softly_and_guards_trailing_spaces() {
        let text = format!("{} \r\na=b \u{e9}", "x".repeat(80));
        let out = String::from_utf8(quoted_printable(text.as_bytes())).unwrap();
        assert_eq!(
            out,
            format!("{}=\r\n{}=20\r\na=3Db =C3=A9", "x".repeat(75), "x".repeat(5))
        );
    }
}
