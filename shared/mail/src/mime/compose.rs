//! A message as a person wrote it, turned into the bytes that are sent (RFC 5322, RFC 2045).

use super::headers::MailAddress;
use super::html::html_to_text;
use crate::smtp::{AddressError, check_address};
use chrono::{DateTime, Utc};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::mime::MimePart;

/// Longest id that fits a header line with its brackets (RFC 5322 section 2.1.1).
const MAX_ID_BYTES: usize = 900;
/// Longest line of an attached message that may travel without a transfer encoding.
const MAX_LINE_BYTES: usize = 998;

/// What is to be sent. Ids stand without angle brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The author.
    pub from: MailAddress,
    /// `To`.
    pub to: Vec<MailAddress>,
    /// `Cc`.
    pub cc: Vec<MailAddress>,
    /// Recipients nobody else sees: they go into the SMTP envelope and never into the header.
    pub bcc: Vec<MailAddress>,
    /// `Reply-To`.
    pub reply_to: Vec<MailAddress>,
    /// `Subject`.
    pub subject: String,
    /// The text; made from the HTML if only that is given.
    pub text: Option<String>,
    /// The HTML body.
    pub html: Option<String>,
    /// The message this one answers.
    pub in_reply_to: Option<String>,
    /// The thread so far, oldest first.
    pub references: Vec<String>,
    /// Files, and images that the HTML shows by `cid:`.
    pub attachments: Vec<MailAttachment>,
    /// Our own Message-ID; one is made from a random UUID and the author's domain if there is none.
    pub message_id: Option<String>,
    /// `Date`.
    pub date: DateTime<Utc>,
}

/// A file that goes with an [`OutgoingMessage`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAttachment {
    /// File name shown to the reader.
    pub name: String,
    /// Media type, for example `application/pdf`.
    pub content_type: String,
    /// The content.
    pub content: Vec<u8>,
    /// The name by which the HTML shows it inline (`cid:NAME`).
    pub content_id: Option<String>,
}

/// A message ready to be sent and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposedMessage {
    /// The message, all lines ended by CRLF.
    pub raw: Vec<u8>,
    /// Its Message-ID without angle brackets.
    pub message_id: String,
    /// Addresses of `To`, `Cc` and `Bcc`, each once: the recipients of the envelope.
    pub recipients: Vec<String>,
}

/// Why a message cannot be composed. Each names the field as the person knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// CR, LF, NUL or another control character, which could smuggle in a header.
    #[error("The field {field} holds a line break or another control character; remove it")]
    ControlCharacter {
        /// The field.
        field: &'static str,
    },
    /// Not an address that mail can go to.
    #[error("The address {address:?} in {field} cannot be used: {cause}")]
    Address {
        /// The field.
        field: &'static str,
        /// What stands there.
        address: String,
        /// What is wrong with it.
        cause: AddressError,
    },
    /// Neither To nor Cc nor Bcc names anybody.
    #[error("The message has no recipient; give at least one address in to, cc or bcc")]
    NoRecipient,
    /// A Message-ID with blanks or brackets, or too long.
    #[error("The field {field} does not hold a Message-ID such as id@example.com")]
    MessageId {
        /// The field.
        field: &'static str,
    },
    /// Not `type/subtype`.
    #[error("The attachment {name:?} has no valid media type; give one such as application/pdf")]
    ContentType {
        /// Name of the attachment.
        name: String,
    },
}

impl OutgoingMessage {
    /// An empty message of that author and date.
    pub fn new(from: MailAddress, date: DateTime<Utc>) -> Self {
        Self {
            from,
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            reply_to: Vec::new(),
            subject: String::new(),
            text: None,
            html: None,
            in_reply_to: None,
            references: Vec::new(),
            attachments: Vec::new(),
            message_id: None,
            date,
        }
    }
}

/// Composes the message. Only 7-bit lines of at most 998 bytes come out, whatever the text holds, except for
/// addresses that are not ASCII, which need SMTPUTF8.
///
/// # Errors
/// [`ComposeError`] naming the field that cannot be sent as it is.
pub fn compose(message: OutgoingMessage) -> Result<ComposedMessage, ComposeError> {
    check(&message)?;
    let recipients = recipients(&message);
    if recipients.is_empty() {
        return Err(ComposeError::NoRecipient);
    }
    let message_id = message
        .message_id
        .clone()
        .unwrap_or_else(|| new_message_id(&message.from.address));
    let mut builder = MessageBuilder::new()
        .from(address(&message.from))
        .subject(message.subject.clone())
        .date(Date::new(message.date.timestamp()))
        .message_id(message_id.clone());
    for (name, field) in [
        ("To", &message.to),
        ("Cc", &message.cc),
        ("Reply-To", &message.reply_to),
    ] {
        if !field.is_empty() {
            builder = builder.header(name, Address::new_list(field.iter().map(address).collect()));
        }
    }
    if let Some(parent) = &message.in_reply_to {
        builder = builder.in_reply_to(parent.clone());
    }
    if !message.references.is_empty() {
        builder = builder.references(MessageId::new_list(message.references.iter().cloned()));
    }
    let mut raw = Vec::new();
    builder.body(body(message)).serialize(&mut raw);
    Ok(ComposedMessage {
        raw,
        message_id,
        recipients,
    })
}

/// A Message-ID of our own, in the author's domain, which is where a mail filter expects it.
fn new_message_id(author: &str) -> String {
    let domain = author.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    format!("{}@{domain}", uuid::Uuid::new_v4())
}

fn recipients(message: &OutgoingMessage) -> Vec<String> {
    let mut recipients: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for entry in message.to.iter().chain(&message.cc).chain(&message.bcc) {
        if seen.insert(entry.address.as_str()) {
            recipients.push(entry.address.clone());
        }
    }
    recipients
}

fn address(entry: &MailAddress) -> Address<'static> {
    let name = entry.name.clone().filter(|name| !name.trim().is_empty());
    Address::new_address(name, entry.address.clone())
}

fn check(message: &OutgoingMessage) -> Result<(), ComposeError> {
    check_addresses("from", std::slice::from_ref(&message.from))?;
    check_addresses("to", &message.to)?;
    check_addresses("cc", &message.cc)?;
    check_addresses("bcc", &message.bcc)?;
    check_addresses("reply_to", &message.reply_to)?;
    check_text("subject", &message.subject)?;
    for id in &message.references {
        check_id("references", id)?;
    }
    for (field, id) in [
        ("in_reply_to", &message.in_reply_to),
        ("message_id", &message.message_id),
    ] {
        id.as_deref().map_or(Ok(()), |id| check_id(field, id))?;
    }
    for attachment in &message.attachments {
        check_text("attachment name", &attachment.name)?;
        attachment
            .content_id
            .as_deref()
            .map_or(Ok(()), |id| check_id("attachment content_id", id))?;
        if !is_media_type(&attachment.content_type) {
            return Err(ComposeError::ContentType {
                name: attachment.name.clone(),
            });
        }
    }
    Ok(())
}

fn check_addresses(field: &'static str, entries: &[MailAddress]) -> Result<(), ComposeError> {
    for entry in entries {
        check_text(field, entry.name.as_deref().unwrap_or_default())?;
        check_address(&entry.address).map_err(|cause| ComposeError::Address {
            field,
            address: entry.address.clone(),
            cause,
        })?;
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str) -> Result<(), ComposeError> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(ComposeError::ControlCharacter { field });
    }
    Ok(())
}

fn check_id(field: &'static str, id: &str) -> Result<(), ComposeError> {
    check_text(field, id)?;
    let fits = !id.is_empty() && id.len() <= MAX_ID_BYTES;
    let clean = id.chars().all(|c| !c.is_whitespace() && !matches!(c, '<' | '>'));
    if fits && clean {
        Ok(())
    } else {
        Err(ComposeError::MessageId { field })
    }
}

/// `type/subtype` of tokens (RFC 6838 section 4.2), and nothing that holds parts of its own.
fn is_media_type(name: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let (kind, subtype) = name.split_once('/').unwrap_or_default();
    token(kind) && token(subtype) && name.len() <= 127 && !kind.eq_ignore_ascii_case("multipart")
}

/// `mixed[alternative[text, related[html, inline...]], file...]`, each level only where it is needed.
fn body(message: OutgoingMessage) -> MimePart<'static> {
    let has_html = message.html.is_some();
    let text = match (message.text, &message.html) {
        (Some(text), _) => text,
        (None, Some(html)) => html_to_text(html),
        (None, None) => String::new(),
    };
    let (inline, files): (Vec<_>, Vec<_>) = message
        .attachments
        .into_iter()
        .partition(|attachment| has_html && attachment.content_id.is_some());
    let mut body = MimePart::new("text/plain", with_line_feeds(text));
    if let Some(html) = message.html {
        let mut html = MimePart::new("text/html", with_line_feeds(html));
        if !inline.is_empty() {
            let parts = std::iter::once(html)
                .chain(inline.into_iter().map(inline_part))
                .collect::<Vec<_>>();
            html = MimePart::new(
                ContentType::new("multipart/related").attribute("type", "text/html"),
                parts,
            );
        }
        body = MimePart::new("multipart/alternative", vec![body, html]);
    }
    if !files.is_empty() {
        let parts = std::iter::once(body)
            .chain(files.into_iter().map(file_part))
            .collect::<Vec<_>>();
        body = MimePart::new("multipart/mixed", parts);
    }
    body
}

fn inline_part(file: MailAttachment) -> MimePart<'static> {
    let disposition = ContentType::new("inline").attribute("filename", file.name);
    let part = MimePart::new(file.content_type, file.content).header("Content-Disposition", disposition);
    part.cid(file.content_id.unwrap_or_default())
}

fn file_part(file: MailAttachment) -> MimePart<'static> {
    if !file.content_type.to_ascii_lowercase().starts_with("message/") {
        return MimePart::new(file.content_type, file.content).attachment(file.name);
    }
    // Base64 is forbidden on an attached message (RFC 2046 section 5.2.1); one that cannot go without is a file.
    let plain = file.content.is_ascii()
        && !file.content.contains(&0)
        && file
            .content
            .split(|&byte| byte == b'\n')
            .all(|line| line.len() <= MAX_LINE_BYTES);
    if plain {
        let part = MimePart::new(file.content_type, file.content).transfer_encoding("7bit");
        return part.attachment(file.name);
    }
    MimePart::new("application/octet-stream", file.content).attachment(file.name)
}

/// Text with line feeds only and without NUL; the builder writes every line end as CRLF.
fn with_line_feeds(text: String) -> String {
    if !text.contains(['\r', '\0']) {
        return text;
    }
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::{attachment, parse_full};
    use proptest::prelude::*;

    fn person(name: &str, address: &str) -> MailAddress {
        MailAddress {
            name: Some(name.to_owned()),
            address: address.to_owned(),
        }
    }

    fn message() -> OutgoingMessage {
        let date = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        let mut message = OutgoingMessage::new(person("Jörg Müller", "joerg@crm.example"), date);
        message.to = vec![person("Ann, Dr.", "ann@x.example")];
        message.subject = "Grüße 😀 שלום".to_owned();
        message
    }

    fn composed(message: OutgoingMessage) -> ComposedMessage {
        let composed = compose(message).unwrap();
        assert!(composed.raw.is_ascii());
        for line in composed.raw.split(|&byte| byte == b'\n') {
            assert!(line.len() <= 999, "a line of {} bytes", line.len());
        }
        let text = String::from_utf8(composed.raw.clone()).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert_eq!(text.matches('\r').count(), text.matches("\r\n").count());
        composed
    }

    #[test]
    fn everything_comes_back_as_it_was_written() {
        let mut message = message();
        message.cc = vec![person("Bob", "bob@x.example")];
        message.bcc = vec![
            person("Hidden", "hidden@x.example"),
            person("Bob", "bob@x.example"),
        ];
        message.reply_to = vec![person("Desk", "desk@crm.example")];
        message.text = Some("Hello\n.dot\nFrom here\n".to_owned());
        message.html = Some("<p>Hello <img src=\"cid:logo@crm\"></p>".to_owned());
        message.in_reply_to = Some("2@x.example".to_owned());
        message.references = vec!["1@x.example".to_owned(), "2@x.example".to_owned()];
        let file = |name: &str, kind: &str, content: &[u8], cid: Option<&str>| MailAttachment {
            name: name.to_owned(),
            content_type: kind.to_owned(),
            content: content.to_vec(),
            content_id: cid.map(str::to_owned),
        };
        message.attachments = vec![
            file("logo.png", "image/png", b"\x89PNG\0\r\n", Some("logo@crm")),
            file("Übersicht.pdf", "application/pdf", &[7; 5_000], None),
            file("old.eml", "message/rfc822", b"Subject: old\r\n\r\nbody\r\n", None),
        ];
        let composed = composed(message);
        assert_eq!(
            composed.recipients,
            ["ann@x.example", "bob@x.example", "hidden@x.example"]
        );
        assert!(
            !String::from_utf8_lossy(&composed.raw)
                .to_lowercase()
                .contains("bcc")
        );
        let parsed = parse_full(&composed.raw).unwrap();
        let headers = &parsed.headers;
        assert_eq!(headers.from, [person("Jörg Müller", "joerg@crm.example")]);
        assert_eq!(headers.to, [person("Ann, Dr.", "ann@x.example")]);
        assert_eq!(headers.reply_to, [person("Desk", "desk@crm.example")]);
        assert_eq!(headers.subject, "Grüße 😀 שלום");
        assert_eq!(headers.message_id.as_ref(), Some(&composed.message_id));
        assert!(composed.message_id.ends_with("@crm.example"));
        assert_eq!(headers.in_reply_to.as_deref(), Some("2@x.example"));
        assert_eq!(headers.references, ["1@x.example", "2@x.example"]);
        assert_eq!(headers.date.unwrap().timestamp(), 1_764_000_000);
        assert_eq!(
            parsed.text.replace("\r\n", "\n").trim_end(),
            "Hello\n.dot\nFrom here"
        );
        assert_eq!(
            parsed.html.unwrap().trim_end(),
            "<p>Hello <img src=\"cid:logo@crm\"></p>"
        );
        let list: Vec<_> = parsed
            .attachments
            .iter()
            .map(|a| (a.name.as_deref().unwrap(), a.inline, a.size))
            .collect();
        assert_eq!(
            list,
            [
                ("logo.png", true, 7),
                ("Übersicht.pdf", false, 5_000),
                ("old.eml", false, 22)
            ]
        );
        assert_eq!(
            *attachment(&composed.raw, 1).unwrap().unwrap().content,
            [7; 5_000]
        );
        assert_eq!(
            &*attachment(&composed.raw, 2).unwrap().unwrap().content,
            b"Subject: old\r\n\r\nbody\r\n"
        );
    }

    #[test]
    fn html_alone_gets_a_text_part() {
        let mut message = message();
        message.html = Some("<p>Hello</p><p>you</p>".to_owned());
        let parsed = parse_full(&composed(message).raw).unwrap();
        assert_eq!(parsed.text.replace("\r\n", "\n").trim_end(), "Hello\n\nyou");
    }

    #[test]
    fn control_characters_name_their_field() {
        type Change = fn(&mut OutgoingMessage, String);
        let cases: [(&str, Change); 6] = [
            ("subject", |m, bad| m.subject = bad),
            ("from", |m, bad| m.from.name = Some(bad)),
            ("to", |m, bad| m.to[0].name = Some(bad)),
            ("references", |m, bad| m.references = vec![bad]),
            ("in_reply_to", |m, bad| m.in_reply_to = Some(bad)),
            ("message_id", |m, bad| m.message_id = Some(bad)),
        ];
        for (field, change) in cases {
            for bad in ["a\r\nBcc: x@y", "a\nb", "a\rb", "a\0b"] {
                let mut message = message();
                change(&mut message, bad.to_owned());
                assert_eq!(compose(message), Err(ComposeError::ControlCharacter { field }));
            }
        }
        let mut message = message();
        message.to[0].address = "a@x.example\r\nRCPT TO:<b@x>".to_owned();
        assert!(matches!(
            compose(message),
            Err(ComposeError::Address { field: "to", .. })
        ));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let mut nobody = message();
        nobody.to.clear();
        assert_eq!(compose(nobody), Err(ComposeError::NoRecipient));
        for kind in [
            "",
            "pdf",
            "multipart/mixed",
            "a/b\r\nX: y",
            "text/plain; charset=x",
        ] {
            let mut message = message();
            let content_type = kind.to_owned();
            message.attachments = vec![MailAttachment {
                name: "n".to_owned(),
                content_type,
                content: vec![],
                content_id: None,
            }];
            assert!(
                matches!(compose(message), Err(ComposeError::ContentType { .. })),
                "{kind}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(subject in "[^\\p{Cc}]{0,200}", name in "[^\\p{Cc}]{0,60}", text in "\\PC{0,300}") {
            let mut message = message();
            message.subject = subject.clone();
            message.to[0].name = Some(name.clone());
            message.text = Some(text.clone());
            let parsed = parse_full(&composed(message).raw).unwrap();
            prop_assert_eq!(parsed.headers.subject.trim(), subject.trim());
            prop_assert_eq!(parsed.headers.to[0].name.as_deref().unwrap_or_default().trim(), name.trim());
            prop_assert_eq!(parsed.text.trim_end(), text.trim_end());
        }
    }
}
