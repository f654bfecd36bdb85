//! A message as a person wrote it, turned into the bytes that are sent (RFC 5322, RFC 2045).

use super::headers::MailAddress;
use super::html::html_to_text;
use super::outgoing::{ComposeError, MailAttachment, OutgoingMessage, check};
use crate::smtp::wire_address;
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::mime::MimePart;

/// Longest line of an attached message that may travel without a transfer encoding.
const MAX_LINE_BYTES: usize = 998;

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
    let author = wire_address(author);
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
    Address::new_address(name, wire_address(&entry.address).into_owned())
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
