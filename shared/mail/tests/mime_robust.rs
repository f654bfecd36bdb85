//! Whatever bytes come, reading them ends, and ends quickly, in a message or an error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use postroom_mail::mime::{IdentitySource, attachment, identity, parse_for_store, parse_full};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn read_everything(raw: &[u8]) {
    let stored = parse_for_store(raw);
    let full = parse_full(raw);
    assert_eq!(stored.as_ref().err(), full.as_ref().err());
    identity(IdentitySource::Content {
        message_id: None,
        raw,
    });
    let Ok(full) = full else { return };
    for index in 0..=full.attachments.len() {
        assert_eq!(
            attachment(raw, index).unwrap().is_some(),
            index < full.attachments.len()
        );
    }
    // What a database takes and a page may show.
    let headers = &full.headers;
    assert!(!full.text.contains('\0') && !full.html.as_ref().is_some_and(|html| html.contains('\0')));
    assert!(!headers.subject.contains(char::is_control) && !full.snippet.contains(char::is_control));
    assert!(
        headers
            .message_id
            .iter()
            .chain(&headers.references)
            .all(|id| id.len() <= 998)
    );
    for name in full
        .attachments
        .iter()
        .filter_map(|attachment| attachment.name.as_ref())
    {
        assert!(
            !name.contains(['/', '\\', '\0', '\n', '\r']) && name.len() <= 255,
            "{name:?}"
        );
    }
}

/// Pieces that mean something to a parser, so that chance finds the odd corners.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Type: multipart/alternative; boundary=\"b\"",
        "Content-Type: message/rfc822",
        "Content-Type: text/html; charset=utf-16",
        "Content-Type: text/plain; charset=",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Disposition: attachment; filename*0*=utf-8''%2F..%2F; filename*1=x",
        "Subject: =?utf-8?b?AAoN?=",
        "From: a:b:c;<",
        "To: \"",
        "Message-ID: <",
        "References: <a> <b",
        "Date: 31 Feb",
        "--a",
        "--b",
        "--a--",
        "--b--",
        "=?iso-2022-jp?q?=1b$B?=",
        "<html><style>",
        "=",
        "=0",
        "AAAA",
        "\u{fffd}",
        "> quoted",
        "On x wrote:",
    ];
    prop_oneof![
        4 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        3 => proptest::sample::select(vec!["\r\n", "\n", "\r", "\r\n\r\n", " ", "\r\n "]).prop_map(|end| end.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces_of_mail_in_any_order(pieces in proptest::collection::vec(piece(), 0..60)) {
        read_everything(&pieces.concat());
        let mut with_header = b"From: a@b\r\n".to_vec();
        with_header.extend(pieces.concat());
        read_everything(&with_header);
    }

    #[test]
    fn any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_everything(&raw);
    }
}

#[test]
fn every_cut_of_a_real_message_is_read() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mime_golden");
    for name in ["inline_and_attachment", "addresses", "iso2022jp", "rfc2231"] {
        let raw = std::fs::read(directory.join(format!("{name}.eml"))).unwrap();
        let step = raw.len() / 500 + 1;
        for end in (0..=raw.len()).step_by(step) {
            read_everything(&raw[..end]);
        }
    }
}

#[test]
fn mail_made_to_hurt_takes_little_time() {
    let nested_messages = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000);
    let encoded = "Q29udGVudC1UeXBlOiBtZXNzYWdlL3JmYzgyMg0KDQpD".repeat(50_000);
    let encoded_messages =
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}");
    let unopened = "--a\r\nContent-Type: multipart/mixed; boundary=never\r\n\r\n".repeat(4_000);
    let many_unopened = format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{unopened}");
    let mut deep = String::new();
    for level in 0..50_000 {
        deep.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    let words = format!("Subject: {}\r\n\r\n", "=?utf-8?b?".repeat(100_000));
    let parameters = format!(
        "Content-Type: text/plain{}\r\n\r\n",
        ";a*0*=utf-8''%41".repeat(60_000)
    );
    let people = format!("To: {}\r\n\r\n", "\"a\\\" <".repeat(150_000));
    for raw in [
        nested_messages,
        encoded_messages,
        many_unopened,
        deep,
        words,
        parameters,
        people,
    ] {
        let started = Instant::now();
        read_everything(raw.as_bytes());
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?} for {:?}",
            started.elapsed(),
            &raw[..60]
        );
    }
}
