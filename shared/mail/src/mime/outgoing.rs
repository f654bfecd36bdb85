//! A message as a person wrote it, and what may not stand in it.

use super::headers::MailAddress;
use crate::smtp::{AddressError, check_address};
use chrono::{DateTime, Utc};

/// Longest id that fits a header line with its brackets (RFC 5322 section 2.1.1).
const MAX_ID_BYTES: usize = 900;

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

/// Refuses whatever could end a header field early or start a new one.
pub(super) fn check(message: &OutgoingMessage) -> Result<(), ComposeError> {
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
