//! From the parts of a mail to its bytes.

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use postroom_mail::mime::{
    ComposeError, ComposedMessage, MailAddress, MailAttachment, OutgoingMessage, compose as compose_message,
};
use postroom_store::Account;

use super::request::{Attachment, Party, SendMail};
use crate::{connect::fields::check_sender_name, http::problem::Problem};

pub(super) fn compose(
    account: &Account,
    request: SendMail,
    now: DateTime<Utc>,
) -> Result<ComposedMessage, Problem> {
    let name = request.from_name.unwrap_or_else(|| account.sender_name.clone());
    check_sender_name(&name).map_err(|problem| Problem::fields(vec![problem]).at("from_name"))?;
    let from = MailAddress {
        name: Some(name).filter(|name| !name.is_empty()),
        address: account.address.clone(),
    };
    let mut message = OutgoingMessage::new(from, now);
    message.to = people(request.to);
    message.cc = people(request.cc);
    message.bcc = people(request.bcc);
    message.reply_to = people(request.reply_to);
    message.subject = request.subject;
    message.text = request.text;
    message.html = request.html;
    message.in_reply_to = request.in_reply_to.map(|id| bare_id(&id));
    message.references = request.references.iter().map(|id| bare_id(id)).collect();
    // RFC 5322, section 3.6.4: without the parent's own references, the parent alone.
    let parent_alone = message.references.is_empty();
    if parent_alone {
        message.references.extend(message.in_reply_to.clone());
    }
    message.attachments = request
        .attachments
        .into_iter()
        .enumerate()
        .map(|(number, attachment)| decode(number, attachment))
        .collect::<Result<_, _>>()?;
    compose_message(message).map_err(|error| match error {
        // The caller knows nothing of a reference that we made from its in_reply_to.
        ComposeError::MessageId { field: "references" } if parent_alone => {
            refused(&ComposeError::MessageId { field: "in_reply_to" })
        }
        error => refused(&error),
    })
}

pub(super) fn people(parties: Vec<Party>) -> Vec<MailAddress> {
    let person = |party| match party {
        Party::Address(address) => MailAddress { name: None, address },
        Party::Named { name, address } => MailAddress { name, address },
    };
    parties.into_iter().map(person).collect()
}

/// Message-IDs are taken with and without their angle brackets.
fn bare_id(id: &str) -> String {
    id.trim().trim_start_matches('<').trim_end_matches('>').to_owned()
}

fn decode(number: usize, attachment: Attachment) -> Result<MailAttachment, Problem> {
    let content = from_base64(&attachment.content, &format!("attachments[{number}].content"))?;
    Ok(MailAttachment {
        name: attachment.name,
        content_type: attachment.content_type,
        content,
        content_id: attachment.content_id,
    })
}

pub(super) fn from_base64(text: &str, field: &str) -> Result<Vec<u8>, Problem> {
    STANDARD.decode(text).map_err(|_| {
        let detail =
            format!("{field} is not base64 (RFC 4648, section 4, with padding, without line breaks).");
        unfit("invalid_base64", detail).at(field)
    })
}

pub(super) fn unfit(code: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

/// A problem with the field that the composer names.
pub(super) fn refused(error: &ComposeError) -> Problem {
    let (code, field) = match error {
        ComposeError::ControlCharacter { field } => ("control_character", *field),
        ComposeError::Address { field, .. } => ("invalid_address", *field),
        ComposeError::NoRecipient => ("no_recipient", "to"),
        ComposeError::MessageId { field } => ("invalid_message_id", *field),
        ComposeError::ContentType { .. } => ("invalid_content_type", "attachments"),
    };
    unfit(code, format!("{error}.")).at(field)
}
