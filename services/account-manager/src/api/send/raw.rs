//! A mail that came as raw source: what must not leave is taken out, what must be there is put in, the rest stays.

use chrono::{DateTime, Utc};
use postroom_mail::{
    mime::{ComposedMessage, MessageHeaders, parse_for_store},
    smtp::check_address,
};
use postroom_store::Account;
use uuid::Uuid;

use super::{
    outgoing::{from_base64, people, unfit},
    request::SendMail,
};
use crate::http::problem::Problem;

/// Gives the message and its subject.
pub(super) fn prepare(
    account: &Account,
    request: SendMail,
    now: DateTime<Utc>,
) -> Result<(ComposedMessage, String), Problem> {
    if !request.subject.is_empty() || request.text.is_some() || request.html.is_some() {
        let detail =
            "A raw message brings its own subject and text. Send either raw, or subject, text and html.";
        return Err(unfit("raw_and_parts", detail.to_owned()).at("raw"));
    }
    let source = from_base64(request.raw.as_deref().unwrap_or_default(), "raw")?;
    let summary = parse_for_store(&source).map_err(|error| {
        unfit(
            "raw_not_understood",
            format!("The raw message is not a mail: {error}."),
        )
        .at("raw")
    })?;
    let headers = summary.headers;
    check_author(account, &headers)?;
    let named = [request.to, request.cc, request.bcc].map(people).concat();
    let recipients = recipients(named.into_iter().map(|person| person.address).collect(), &headers)?;
    let message_id = headers.message_id.clone().unwrap_or_else(|| {
        let domain = account
            .address
            .rsplit_once('@')
            .map_or("localhost", |(_, domain)| domain);
        format!("{}@{domain}", Uuid::new_v4())
    });
    let mut raw = Vec::with_capacity(source.len() + 256);
    if headers.message_id.is_none() {
        raw.extend_from_slice(format!("Message-ID: <{message_id}>\r\n").as_bytes());
    }
    if headers.date.is_none() {
        raw.extend_from_slice(format!("Date: {}\r\n", now.to_rfc2822()).as_bytes());
    }
    copy_without_bcc(&source, &mut raw);
    let message = ComposedMessage {
        raw,
        message_id,
        recipients,
    };
    Ok((message, headers.subject))
}

/// Nobody sends under an address that is not the account's.
fn check_author(account: &Account, headers: &MessageHeaders) -> Result<(), Problem> {
    let own = |address: &str| address.eq_ignore_ascii_case(&account.address);
    if headers.from.len() == 1 && headers.from.iter().all(|author| own(&author.address)) {
        return Ok(());
    }
    let detail = format!(
        "The raw message must have exactly one author (From), and it must be the account's address {}.",
        account.address
    );
    Err(unfit("from_not_own", detail).at("raw"))
}

/// Those of the request; those of the header where the request names none.
fn recipients(named: Vec<String>, headers: &MessageHeaders) -> Result<Vec<String>, Problem> {
    let mut all = if named.is_empty() {
        let listed = headers.to.iter().chain(&headers.cc).chain(&headers.bcc);
        listed.map(|person| person.address.clone()).collect()
    } else {
        named
    };
    let mut seen = std::collections::HashSet::new();
    all.retain(|address| seen.insert(address.clone()));
    if all.is_empty() {
        let detail = "The message has no recipient; name them in to, cc or bcc, or in the raw header.";
        return Err(unfit("no_recipient", detail.to_owned()).at("to"));
    }
    for address in &all {
        check_address(address).map_err(|cause| {
            let detail = format!("The address {address:?} cannot be used: {cause}.");
            unfit("invalid_address", detail).at("to")
        })?;
    }
    Ok(all)
}

/// Copies a message with every line end as CRLF, and without its Bcc fields.
fn copy_without_bcc(source: &[u8], out: &mut Vec<u8>) {
    let mut in_header = true;
    let mut dropping = false;
    for line in source.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        if in_header {
            let continues = bare.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
            if !continues {
                dropping = is_bcc(bare);
            }
            in_header = !bare.is_empty();
            if dropping && in_header {
                continue;
            }
        }
        out.extend_from_slice(bare);
        out.extend_from_slice(b"\r\n");
    }
}

fn is_bcc(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = name.trim_ascii();
    name.eq_ignore_ascii_case(b"bcc") || name.eq_ignore_ascii_case(b"resent-bcc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bcc_goes_and_the_rest_stays() {
        let mut out = Vec::new();
        copy_without_bcc(
            b"From: a@x\nBCC : b@x,\n\tc@x\r\nTo: d@x\n\nBcc: in the text\nend",
            &mut out,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "From: a@x\r\nTo: d@x\r\n\r\nBcc: in the text\r\nend\r\n"
        );
    }

    #[test]
    fn a_header_without_end_is_copied_whole() {
        let mut out = Vec::new();
        copy_without_bcc(b"From: a@x\nBcc: b@x", &mut out);
        assert_eq!(out, b"From: a@x\r\n");
    }
}
