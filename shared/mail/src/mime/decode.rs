//! From the bytes of a part to its content: transfer encodings (RFC 2045 section 6) and charsets, both forgiving.

use super::part_headers::TransferEncoding;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use std::borrow::Cow;

/// Undoes the transfer encoding. Damage costs the damaged bytes, not the part.
pub(super) fn decode_transfer(encoding: TransferEncoding, body: &[u8]) -> Cow<'_, [u8]> {
    match encoding {
        TransferEncoding::Identity => Cow::Borrowed(body),
        TransferEncoding::Base64 => base64_decode(body)
            .unwrap_or_else(|| forgiving_base64(body))
            .into(),
        TransferEncoding::QuotedPrintable => quoted_printable(body).into(),
    }
}

/// The length of the content, without making it.
pub(super) fn decoded_len(encoding: TransferEncoding, body: &[u8]) -> usize {
    match encoding {
        TransferEncoding::Identity => body.len(),
        TransferEncoding::Base64 => body.iter().filter(|&&byte| base64_value(byte).is_some()).count() * 3 / 4,
        TransferEncoding::QuotedPrintable => quoted_printable(body).len(),
    }
}

/// Decodes text: as declared if that is a known charset, else guessed. Never holds NUL, which PostgreSQL refuses.
pub(super) fn decode_text(charset: Option<&str>, content: &[u8]) -> String {
    let declared = charset.map(str::trim).filter(|name| !is_ascii_name(name));
    let text = match declared.and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decode) => decode(content),
        None => guess_charset(content).into_owned(),
    };
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text
    }
}

/// UTF-8 if it is valid UTF-8, else Windows-1252, in which every byte means something.
pub(super) fn guess_charset(content: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(content) {
        Ok(text) => Cow::Borrowed(text),
        // A text that was cut within its last character is still UTF-8.
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(content),
        Err(_) => match charset_decoder(b"windows-1252") {
            Some(decode) => Cow::Owned(decode(content)),
            None => String::from_utf8_lossy(content),
        },
    }
}

/// ASCII is declared for mail that is anything, so the declaration says nothing.
fn is_ascii_name(name: &str) -> bool {
    name.is_empty() || name.eq_ignore_ascii_case("us-ascii") || name.eq_ignore_ascii_case("ascii")
}

fn base64_value(byte: u8) -> Option<u32> {
    match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Base64 that skips foreign bytes and goes on behind padding in the middle, as joined pieces have it.
fn forgiving_base64(body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len() / 4 * 3);
    let (mut group, mut digits) = (0_u32, 0_usize);
    let flush = |group: u32, digits: usize, content: &mut Vec<u8>| {
        let bytes = (group << (6 * (4 - digits))).to_be_bytes();
        content.extend(bytes.iter().skip(1).take(digits.saturating_sub(1)));
    };
    for &byte in body {
        if let Some(value) = base64_value(byte) {
            (group, digits) = (group << 6 | value, digits + 1);
        }
        if digits == 4 || (byte == b'=' && digits > 0) {
            flush(group, digits, &mut content);
            (group, digits) = (0, 0);
        }
    }
    if digits > 0 {
        flush(group, digits, &mut content);
    }
    content
}

/// Quoted-printable that leaves a broken escape as it stands, as RFC 2045 section 6.7 suggests.
fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let text = line.trim_ascii_end();
        let line_end: &[u8] = if line.ends_with(b"\r\n") {
            b"\r\n"
        } else if line.ends_with(b"\n") {
            b"\n"
        } else {
            b""
        };
        match text.strip_suffix(b"=") {
            Some(continued) => unescape(continued, &mut content),
            None => {
                unescape(text, &mut content);
                content.extend_from_slice(line_end);
            }
        }
    }
    content
}

fn unescape(text: &[u8], content: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (plain, escape) = rest.split_at(at);
        content.extend_from_slice(plain);
        let byte = match escape {
            [_, high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match byte {
            Some(byte) => {
                content.push(byte);
                rest = &escape[3..];
            }
            None => {
                content.push(b'=');
                rest = &escape[1..];
            }
        }
    }
    content.extend_from_slice(rest);
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_survives_damage() {
        let decode = |body: &[u8]| decode_transfer(TransferEncoding::Base64, body).into_owned();
        assert_eq!(decode(b"aGVsbG8gd29ybGQ="), b"hello world");
        assert_eq!(decode(b"aGVs\r\nbG8gd2\r\n9ybGQ=\r\n"), b"hello world");
        assert_eq!(decode(b"aGVs!bG8gd2*9ybGQ"), b"hello world");
        assert_eq!(decode(b"aGk=!aGk="), b"hihi");
        assert_eq!(decode(b"!a"), b"");
        assert_eq!(
            decoded_len(TransferEncoding::Base64, b"aGVs\r\nbG8gd2\r\n9ybGQ=\r\n"),
            11
        );
    }

    #[test]
    fn quoted_printable_survives_damage() {
        let decode = |body: &[u8]| decode_transfer(TransferEncoding::QuotedPrintable, body).into_owned();
        assert_eq!(
            decode(b"Gr=C3=BC=\r\n=c3=9fe  \r\nende"),
            "Grüße\r\nende".as_bytes()
        );
        assert_eq!(decode(b"1+1=2, =XY, =4"), b"1+1=2, =XY, =4");
        assert_eq!(decode(b"soft=  \nbreak\n"), b"softbreak\n");
        assert_eq!(decode(b"cut="), b"cut");
    }

    #[test]
    fn charsets_are_read_or_guessed() {
        assert_eq!(decode_text(Some("ISO-8859-15"), b"\xa4 \xfc"), "€ ü");
        assert_eq!(decode_text(Some("us-ascii"), "Grüße".as_bytes()), "Grüße");
        assert_eq!(decode_text(None, b"Gr\xfc\xdfe"), "Grüße");
        assert_eq!(decode_text(Some("no-such-charset"), b"Gr\xfc\xdfe"), "Grüße");
        assert_eq!(decode_text(Some("koi8-r"), b"\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет");
        assert_eq!(decode_text(Some("iso-2022-jp"), b"\x1b$B$3$s\x1b(B"), "こん");
        assert_eq!(decode_text(Some("utf-8"), b"a\0b"), "ab");
    }
}
