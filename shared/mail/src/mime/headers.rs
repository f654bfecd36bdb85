//! Header fields as Postroom keeps them: decoded (RFC 2047, RFC 2231), without control characters, and with
//! lengths that a database index can hold.

use super::part_headers::PartHeaders;
use super::structure::ParseError;
use chrono::{DateTime, Utc};
use mail_parser::{HeaderName, HeaderValue, Message, MessageParser};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

/// An id longer than a line may be (RFC 5322 section 2.1.1) is not an id, and would not fit a database index.
pub(super) const MAX_ID_BYTES: usize = 998;
/// The thread's root and its nearest ancestors are kept; a longer chain loses its middle.
const MAX_REFERENCES: usize = 200;
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// A name and an address of a `From`, `To` or similar field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MailAddress {
    /// The display name, decoded.
    pub name: Option<String>,
    /// The address as written; nothing promises that it is a valid one.
    pub address: String,
}

/// The header fields of a message that Postroom works with. Ids stand without their angle brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageHeaders {
    /// `Message-ID`.
    pub message_id: Option<String>,
    /// The first id of `In-Reply-To`.
    pub in_reply_to: Option<String>,
    /// `References`, oldest first.
    pub references: Vec<String>,
    /// `Subject`; empty when there is none.
    pub subject: String,
    /// `From`.
    pub from: Vec<MailAddress>,
    /// `Sender`, where it differs from the author.
    pub sender: Option<MailAddress>,
    /// `To`, of all such fields together.
    pub to: Vec<MailAddress>,
    /// `Cc`, of all such fields together.
    pub cc: Vec<MailAddress>,
    /// `Bcc`; seen in one's own sent mail and drafts.
    pub bcc: Vec<MailAddress>,
    /// `Reply-To`.
    pub reply_to: Vec<MailAddress>,
    /// `Date`, if it is one; the sender's clock, so not to be trusted for order.
    pub date: Option<DateTime<Utc>>,
}

/// Parses only what [`MessageHeaders`] keeps; all else (`Received` and its kin) is skipped, which is most of it.
static MESSAGE_PARSER: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .with_minimal_headers()
        .with_message_ids()
        .header_address(HeaderName::Sender)
        .default_header_ignore()
});

/// Reads the header block of a message: its own fields and those of its root part.
pub(super) fn parse_message_headers(block: &[u8]) -> Result<(MessageHeaders, PartHeaders), ParseError> {
    let block = readable(block);
    let parsed = run_parser(&MESSAGE_PARSER, &block)?.ok_or(ParseError::NoHeaders)?;
    let looks_like_headers = parsed
        .headers()
        .iter()
        .any(|header| is_field_name(header.name.as_str()));
    if !looks_like_headers {
        return Err(ParseError::NoHeaders);
    }
    Ok((
        MessageHeaders::from_parsed(&parsed),
        PartHeaders::from_parsed(&parsed, false),
    ))
}

impl MessageHeaders {
    fn from_parsed(parsed: &Message<'_>) -> Self {
        let mut references = ids(parsed.references());
        if references.len() > MAX_REFERENCES {
            references.drain(1..=references.len() - MAX_REFERENCES);
        }
        Self {
            message_id: parsed
                .header(HeaderName::MessageId)
                .and_then(|value| ids(value).into_iter().next()),
            in_reply_to: ids(parsed.in_reply_to()).into_iter().next(),
            references,
            subject: clean(parsed.subject().unwrap_or_default(), MAX_TEXT_BYTES),
            from: addresses(parsed, HeaderName::From),
            sender: addresses(parsed, HeaderName::Sender).into_iter().next(),
            to: addresses(parsed, HeaderName::To),
            cc: addresses(parsed, HeaderName::Cc),
            bcc: addresses(parsed, HeaderName::Bcc),
            reply_to: addresses(parsed, HeaderName::ReplyTo),
            date: parsed
                .date()
                .filter(|date| date.is_valid())
                .and_then(|date| DateTime::from_timestamp(date.to_timestamp(), 0)),
        }
    }
}

/// Runs the header parser. It promises not to panic; a mail that proves otherwise must fail by itself only.
pub(super) fn run_parser<'x>(
    parser: &MessageParser,
    block: &'x [u8],
) -> Result<Option<Message<'x>>, ParseError> {
    catch_unwind(AssertUnwindSafe(|| parser.parse_headers(block))).map_err(|_| ParseError::ParserFailed)
}

/// The block with a line end at its end (the parser drops an unfinished last field) and with raw 8-bit lines that
/// are not UTF-8 read as Windows-1252, which is what their senders nearly always meant.
pub(super) fn readable(block: &[u8]) -> Cow<'_, [u8]> {
    let complete = block.is_empty() || block.ends_with(b"\n");
    if complete && std::str::from_utf8(block).is_ok() {
        return Cow::Borrowed(block);
    }
    let mut mended = Vec::with_capacity(block.len() + 64);
    for line in block.split_inclusive(|&byte| byte == b'\n') {
        mended.extend_from_slice(super::decode::guess_charset(line).as_bytes());
    }
    mended.extend_from_slice(if complete { b"" } else { b"\r\n\r\n" });
    Cow::Owned(mended)
}

/// RFC 5322 section 2.2: printable ASCII without the colon.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    let found = match value {
        HeaderValue::Text(id) => std::slice::from_ref(id),
        HeaderValue::TextList(ids) => ids.as_slice(),
        _ => &[],
    };
    let fits = |id: &&Cow<'_, str>| id.len() <= MAX_ID_BYTES;
    found
        .iter()
        .filter(fits)
        .map(|id| clean(id, MAX_ID_BYTES))
        .filter(|id| !id.is_empty())
        .collect()
}

fn addresses(parsed: &Message<'_>, name: HeaderName<'static>) -> Vec<MailAddress> {
    let fields = parsed.header_values(name).filter_map(HeaderValue::as_address);
    fields
        .flat_map(|field| field.iter())
        .filter_map(|entry| {
            let name = entry
                .name()
                .map(|name| clean(name, MAX_TEXT_BYTES))
                .filter(|name| !name.is_empty());
            let address = clean(entry.address().unwrap_or_default(), MAX_ID_BYTES);
            (name.is_some() || !address.is_empty()).then_some(MailAddress { name, address })
        })
        .collect()
}

/// Text on one line: control characters become spaces (an encoded word may hold NUL or a line end), ends are
/// trimmed, and at most `max` bytes are kept.
pub(super) fn clean(text: &str, max: usize) -> String {
    let mut cleaned: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    cleaned.truncate(cleaned.floor_char_boundary(max));
    match cleaned.trim() {
        trimmed if trimmed.len() == cleaned.len() => cleaned,
        trimmed => trimmed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(raw: &[u8]) -> MessageHeaders {
        parse_message_headers(raw).unwrap().0
    }

    #[test]
    fn reads_the_usual_fields() {
        let parsed = headers(
            b"Received: from a by b; Tue, 1 Jul 2025 10:00:00 +0200\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.example>\r\n\
              To: a@x.example,\r\n \"B, C\" <b@x.example>\r\nTo: Team: d@x.example, e@x.example;\r\n\
              Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n from here\r\nMessage-ID: <1@x.example>\r\n\
              In-Reply-To: Your mail of today <0@x.example>\r\nReferences: <r@x.example>\r\n <0@x.example>\r\n\
              Date: Tue, 1 Jul 2025 10:00:00 +0200\r\n\r\n",
        );
        assert_eq!(parsed.from[0].name.as_deref(), Some("Jörg"));
        assert_eq!(
            parsed.to.iter().map(|to| to.address.as_str()).collect::<Vec<_>>(),
            ["a@x.example", "b@x.example", "d@x.example", "e@x.example"]
        );
        assert_eq!(parsed.to[1].name.as_deref(), Some("B, C"));
        assert_eq!(parsed.subject, "Grüße from here");
        assert_eq!(parsed.message_id.as_deref(), Some("1@x.example"));
        assert_eq!(parsed.in_reply_to.as_deref(), Some("0@x.example"));
        assert_eq!(parsed.references, ["r@x.example", "0@x.example"]);
        assert_eq!(parsed.date.unwrap().to_rfc3339(), "2025-07-01T08:00:00+00:00");
    }

    #[test]
    fn a_raw_header_in_windows_1252_is_read() {
        assert_eq!(headers(b"Subject: Gr\xfc\xdfe \x80\r\n\r\n").subject, "Grüße €");
        assert_eq!(headers("Subject: Grüße\r\n\r\n".as_bytes()).subject, "Grüße");
    }

    #[test]
    fn control_characters_of_an_encoded_word_do_not_survive() {
        // Mailsploit: an encoded From that ends early for whoever stops at NUL or a line end.
        let parsed = headers(b"From: =?utf-8?b?cG90dXNAeC5leGFtcGxlAAo=?= <real@x.example>\r\n\r\n");
        let name = parsed.from[0].name.as_deref().unwrap();
        assert!(!name.chars().any(char::is_control), "{name:?}");
        assert_eq!(parsed.from[0].address, "real@x.example");
    }

    #[test]
    fn an_endless_id_is_no_id_and_an_endless_thread_keeps_its_ends() {
        let long = format!("Message-ID: <{}@x>\r\n\r\n", "a".repeat(2_000));
        assert_eq!(headers(long.as_bytes()).message_id, None);
        let mut references = String::from("References:");
        for number in 0..1_000 {
            references.push_str(&format!(" <{number}@x>\r\n"));
        }
        let parsed = headers(format!("{references}\r\n").as_bytes());
        assert_eq!(parsed.references.len(), MAX_REFERENCES);
        assert_eq!(parsed.references.first().unwrap(), "0@x");
        assert_eq!(parsed.references.last().unwrap(), "999@x");
    }

    #[test]
    fn the_last_field_counts_even_without_its_line_end() {
        assert_eq!(
            headers(b"To: a@x\r\nMessage-ID: <1@x>").message_id.as_deref(),
            Some("1@x")
        );
    }

    #[test]
    fn a_date_that_is_none_is_none() {
        for date in [
            "",
            "yesterday",
            "Tue, 99 Jul 2025 10:00:00",
            "Tue, 1 Jul 99999 10:00:00 +0200",
        ] {
            assert_eq!(
                headers(format!("Date: {date}\r\nTo: a@x\r\n\r\n").as_bytes()).date,
                None,
                "{date}"
            );
        }
    }
}
