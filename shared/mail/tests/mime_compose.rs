//! What is composed comes back as it was written, and what could smuggle something in is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::DateTime;
use postroom_mail::mime::{
    ComposeError, ComposedMessage, MailAddress, MailAttachment, OutgoingMessage, attachment, compose,
    parse_full,
};
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
fn an_international_domain_is_written_in_ascii() {
    let mut message = message();
    message.from.address = "jo@bücher.example".to_owned();
    message.to[0].address = "ann@bücher.example".to_owned();
    let composed = composed(message);
    assert!(composed.message_id.ends_with("@xn--bcher-kva.example"));
    let parsed = parse_full(&composed.raw).unwrap();
    assert_eq!(parsed.headers.to[0].address, "ann@xn--bcher-kva.example");
    assert_eq!(composed.recipients, ["ann@bücher.example"]);
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
