//! Messages of many kinds, read by us and by a second parser: Python's email package. `mime_golden/make.py` wrote the
//! messages and what Python made of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use postroom_mail::mime::{MailAddress, attachment, parse_for_store, parse_full};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

fn addresses(found: &[MailAddress]) -> Value {
    found
        .iter()
        .map(|entry| json!([entry.name.clone().unwrap_or_default(), entry.address]))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What we read, in the words of `expected.json`.
fn read(raw: &[u8]) -> Value {
    let parsed = parse_full(raw).unwrap();
    let headers = &parsed.headers;
    let attachments: Vec<Value> = parsed
        .attachments
        .iter()
        .enumerate()
        .map(|(index, info)| {
            let found = attachment(raw, index).unwrap().unwrap();
            assert_eq!(&found.info, info);
            assert_eq!(found.content.len() as u64, info.size, "announced and real size of {info:?}");
            if info.content_type == "message/rfc822" {
                let inner = parse_full(&found.content).unwrap();
                return json!({ "name": info.name, "type": info.content_type, "subject": inner.headers.subject });
            }
            let sha256 = hex(&found.content);
            json!({ "name": info.name, "type": info.content_type, "size": info.size, "sha256": sha256 })
        })
        .collect();
    assert!(attachment(raw, attachments.len()).unwrap().is_none());
    json!({
        "subject": headers.subject,
        "from": addresses(&headers.from),
        "to": addresses(&headers.to),
        "cc": addresses(&headers.cc),
        "reply_to": addresses(&headers.reply_to),
        "message_id": headers.message_id,
        "in_reply_to": headers.in_reply_to,
        "references": headers.references,
        "date": headers.date.map(|date| date.timestamp()),
        "text": parsed.text.replace("\r\n", "\n"),
        "html": parsed.html.map(|html| html.replace("\r\n", "\n")),
        "attachments": attachments,
    })
}

#[test]
fn we_read_what_python_reads() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mime_golden");
    let expected: Value =
        serde_json::from_slice(&std::fs::read(directory.join("expected.json")).unwrap()).unwrap();
    let mut differences = Vec::new();
    for (name, expected) in expected.as_object().unwrap() {
        let raw = std::fs::read(directory.join(format!("{name}.eml"))).unwrap();
        let found = read(&raw);
        for (field, expected) in expected.as_object().unwrap() {
            // Whether a text ends in a line end is the business of the boundary behind it; a tab of a folded line is
            // a blank to us.
            let trimmed = |value: &Value| {
                value
                    .as_str()
                    .map(|text| json!(text.trim_end().replace('\t', " ")))
                    .unwrap_or(value.clone())
            };
            if trimmed(&found[field]) != trimmed(expected) {
                differences.push(format!(
                    "{name}.{field}:\n  Python {expected}\n  we     {}",
                    found[field]
                ));
            }
        }
        let summary = parse_for_store(&raw).unwrap();
        let full = parse_full(&raw).unwrap();
        assert_eq!(summary.headers, full.headers, "{name}");
        assert_eq!(summary.html_present, full.html.is_some(), "{name}");
        assert_eq!(summary.snippet, full.snippet, "{name}");
        assert_eq!(
            summary.attachment_count,
            full.attachments
                .iter()
                .filter(|attachment| !attachment.inline)
                .count(),
            "{name}"
        );
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
