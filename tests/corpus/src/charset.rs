//! Charsets of mail, and RFC 2047 encoded words for headers.

use base64::{Engine, prelude::BASE64_STANDARD};

/// A charset a mail program may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    UsAscii,
    Utf8,
    Iso8859_1,
    Iso8859_2,
    Iso8859_15,
    Windows1251,
    Windows1252,
    Koi8R,
    Iso2022Jp,
    ShiftJis,
    Gb18030,
}

/// Most octets of text that fit one encoded word of at most 75 characters (RFC 2047 section 2) with the longest charset name here.
const ENCODED_WORD_OCTETS: usize = 42;

impl Charset {
    /// Its name as mail programs write it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::UsAscii => "us-ascii",
            Self::Utf8 => "UTF-8",
            Self::Iso8859_1 => "ISO-8859-1",
            Self::Iso8859_2 => "iso-8859-2",
            Self::Iso8859_15 => "ISO-8859-15",
            Self::Windows1251 => "windows-1251",
            Self::Windows1252 => "windows-1252",
            Self::Koi8R => "koi8-r",
            Self::Iso2022Jp => "ISO-2022-JP",
            Self::ShiftJis => "Shift_JIS",
            Self::Gb18030 => "GB18030",
        }
    }

    /// The text in this charset, or None when it holds a character that the charset lacks.
    pub(crate) fn encode(self, text: &str) -> Option<Vec<u8>> {
        let encoding = match self {
            Self::UsAscii => return text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Utf8 => return Some(text.as_bytes().to_vec()),
            // The web's ISO-8859-1 is windows-1252; mail's ends at U+00FF.
            Self::Iso8859_1 => return text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            Self::Iso8859_2 => encoding_rs::ISO_8859_2,
            Self::Iso8859_15 => encoding_rs::ISO_8859_15,
            Self::Windows1251 => encoding_rs::WINDOWS_1251,
            Self::Windows1252 => encoding_rs::WINDOWS_1252,
            Self::Koi8R => encoding_rs::KOI8_R,
            Self::Iso2022Jp => encoding_rs::ISO_2022_JP,
            Self::ShiftJis => encoding_rs::SHIFT_JIS,
            Self::Gb18030 => encoding_rs::GB18030,
        };
        let (bytes, _, unmappable) = encoding.encode(text);
        (!unmappable).then(|| bytes.into_owned())
    }

    /// Whether every character of the text is in this charset.
    pub(crate) fn holds(self, text: &str) -> bool {
        self == Self::Utf8 || text.is_ascii() || self.encode(text).is_some()
    }

    /// The text for a header line: itself when it is ASCII, else encoded words, folded so that each stands on a line of its own.
    pub(crate) fn header_text(self, text: &str, quoted: bool) -> String {
        if text.is_ascii() {
            return text.to_owned();
        }
        let charset = if self.holds(text) { self } else { Self::Utf8 };
        let mut words = Vec::new();
        let mut chunk = String::new();
        for letter in text.chars() {
            chunk.push(letter);
            let octets = charset
                .encode(&chunk)
                .map_or(usize::MAX, |bytes| encoded_length(&bytes, quoted));
            if octets > ENCODED_WORD_OCTETS {
                chunk.pop();
                words.push(charset.encoded_word(&chunk, quoted));
                chunk = letter.to_string();
            }
        }
        words.push(charset.encoded_word(&chunk, quoted));
        words.join("\r\n ")
    }

    fn encoded_word(self, chunk: &str, quoted: bool) -> String {
        let bytes = self.encode(chunk).unwrap_or_default();
        if quoted {
            format!("=?{}?Q?{}?=", self.label(), q_encoded(&bytes))
        } else {
            format!("=?{}?B?{}?=", self.label(), BASE64_STANDARD.encode(&bytes))
        }
    }
}

/// Length that counts against [`ENCODED_WORD_OCTETS`]: Q grows by the octet, B by a third of the whole.
fn encoded_length(bytes: &[u8], quoted: bool) -> usize {
    if quoted {
        q_encoded(bytes).len() * 3 / 4
    } else {
        bytes.len()
    }
}

/// The Q encoding (RFC 2047 section 4.2), strict enough for use inside a phrase (section 5, rule 3).
fn q_encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b' ' => text.push('_'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => text.push(char::from(byte)),
            _ => text.push_str(&format!("={byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_short_and_whole() {
        let text = "Grüße aus Köln und Zürich, schöne Wünsche für die nächsten Jahre überall";
        for (charset, quoted) in [
            (Charset::Utf8, true),
            (Charset::Utf8, false),
            (Charset::Iso8859_15, true),
        ] {
            let header = charset.header_text(text, quoted);
            assert!(
                header
                    .split("\r\n ")
                    .all(|word| word.len() <= 75 && word.ends_with("?=")),
                "{header}"
            );
        }
    }

    #[test]
    fn a_charset_refuses_what_it_lacks() {
        assert_eq!(Charset::Iso8859_1.encode("5 €"), None);
        assert_eq!(Charset::Iso8859_15.encode("5 €"), Some(b"5 \xa4".to_vec()));
        assert!(!Charset::Koi8R.holds("東京"));
    }
}
