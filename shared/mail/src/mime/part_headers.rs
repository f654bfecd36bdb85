//! The MIME fields of one part (RFC 2045, RFC 2183).

use super::headers::{MAX_ID_BYTES, clean, readable, run_parser};
use super::structure::ParseError;
use mail_parser::{Message, MessageParser, MimeHeaders};
use std::sync::LazyLock;

const MAX_NAME_BYTES: usize = 255;

/// How a part's content is written for the way (RFC 2045 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransferEncoding {
    /// 7bit, 8bit, binary, or a name nobody knows.
    Identity,
    Base64,
    QuotedPrintable,
}

/// The MIME fields of one part.
#[derive(Debug)]
pub(super) struct PartHeaders {
    /// In lower case, for example `text/plain`.
    pub(super) content_type: String,
    boundary: Option<String>,
    pub(super) charset: Option<String>,
    pub(super) name: Option<String>,
    pub(super) content_id: Option<String>,
    /// `Content-Disposition: attachment`.
    pub(super) is_attachment: bool,
    /// `Content-Disposition: inline`.
    pub(super) is_inline: bool,
    pub(super) encoding: TransferEncoding,
}

static PART_PARSER: LazyLock<MessageParser> =
    LazyLock::new(|| MessageParser::new().with_mime_headers().default_header_ignore());

impl PartHeaders {
    /// Reads the header block of a part; `in_digest` changes what a missing type means (RFC 2046 section 5.1.5).
    pub(super) fn parse(block: &[u8], in_digest: bool) -> Result<Self, ParseError> {
        let block = readable(block);
        Ok(match run_parser(&PART_PARSER, &block)? {
            Some(parsed) => Self::from_parsed(&parsed, in_digest),
            None => Self::untyped(in_digest),
        })
    }

    pub(super) fn from_parsed(parsed: &Message<'_>, in_digest: bool) -> Self {
        let part = parsed.root_part();
        let mut headers = Self::untyped(in_digest);
        if let Some(content_type) = part.content_type() {
            // A type without a subtype is no type: plain text (RFC 2045 section 5.2).
            if let Some(subtype) = content_type.subtype() {
                let full = format!("{}/{}", content_type.ctype(), subtype).to_ascii_lowercase();
                headers.content_type = clean(&full, MAX_NAME_BYTES);
            } else {
                headers.content_type = "text/plain".to_owned();
            }
            headers.charset = content_type.attribute("charset").map(str::to_owned);
            headers.boundary = content_type
                .attribute("boundary")
                .map(|boundary| boundary.trim_end().to_owned());
        }
        if let Some(disposition) = part.content_disposition() {
            headers.is_attachment = disposition.is_attachment();
            headers.is_inline = disposition.is_inline();
        }
        headers.name = part.attachment_name().and_then(file_name);
        headers.content_id = part
            .content_id()
            .map(|id| clean(id, MAX_ID_BYTES))
            .filter(|id| !id.is_empty());
        headers.encoding = match part.content_transfer_encoding().map(str::trim) {
            Some(name) if name.eq_ignore_ascii_case("base64") => TransferEncoding::Base64,
            Some(name) if name.eq_ignore_ascii_case("quoted-printable") => TransferEncoding::QuotedPrintable,
            _ => TransferEncoding::Identity,
        };
        headers
    }

    fn untyped(in_digest: bool) -> Self {
        Self {
            content_type: if in_digest { "message/rfc822" } else { "text/plain" }.to_owned(),
            boundary: None,
            charset: None,
            name: None,
            content_id: None,
            is_attachment: false,
            is_inline: false,
            encoding: TransferEncoding::Identity,
        }
    }

    /// The boundary, if this is a multipart that has one.
    pub(super) fn boundary(&self) -> Option<&str> {
        let boundary = self.boundary.as_deref().filter(|boundary| !boundary.is_empty());
        if self.content_type.starts_with("multipart/") {
            boundary
        } else {
            None
        }
    }

    /// Whether this is the multipart of that subtype.
    pub(super) fn is_multipart(&self, subtype: &str) -> bool {
        self.content_type.strip_prefix("multipart/") == Some(subtype)
    }

    /// A multipart whose boundary opens nothing is read as plain text rather than lost.
    pub(super) fn into_leaf(mut self) -> Self {
        if self.content_type.starts_with("multipart/") {
            self.content_type = "text/plain".to_owned();
        }
        self
    }
}

/// A file name that is only a name: no folders, no control or direction-turning characters, at most 255 bytes.
fn file_name(raw: &str) -> Option<String> {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let turned = |c: &char| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name = clean(&last.chars().filter(turned).collect::<String>(), MAX_NAME_BYTES);
    (!name.is_empty() && name != "." && name != "..").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_cannot_climb() {
        assert_eq!(file_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(file_name("C:\\x\\report.pdf").as_deref(), Some("report.pdf"));
        assert_eq!(file_name("a\u{202e}fdp.exe").as_deref(), Some("afdp.exe"));
        assert_eq!(file_name(".."), None);
        assert_eq!(file_name("x/"), None);
    }
}
