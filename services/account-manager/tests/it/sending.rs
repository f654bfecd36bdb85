//! A mail is taken once, whatever is repeated, and its bytes are there before the answer is.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, answer};

async fn send(rig: &Rig, account: &str, key: &str, body: &Value) -> (StatusCode, Value) {
    let request = rig.ask(Method::POST, &format!("/v1/accounts/{account}/send"));
    answer(
        request
            .header("idempotency-key", key)
            .json(body)
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn the_same_key_and_body_is_one_mail() {
    let rig = Rig::start().await;
    let (_, id) = rig.connected("send").await;
    let id = id.to_string();
    let body = json!({
        "to": ["bob@example.test", {"name": "Cy", "address": "cy@example.test"}],
        "bcc": ["bob@example.test"],
        "subject": "Hello",
        "text": "How are you?",
        "attachments": [{"name": "a.txt", "type": "text/plain", "content": STANDARD.encode("attached")}],
    });
    let (status, first) = send(&rig, &id, "k1", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{first}");
    assert_eq!(first["state"], "queued");
    let (status, second) = send(&rig, &id, "k1", &body).await;
    assert_eq!((status, &second), (StatusCode::ACCEPTED, &first));
    let mut other = body.clone();
    other["subject"] = json!("Another");
    let (status, problem) = send(&rig, &id, "k1", &other).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::CONFLICT, Some("idempotency_key_reused"))
    );
    let (_, submission) = rig
        .get(&format!(
            "/v1/submissions/{}",
            first["submission_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        submission["recipients"].as_array().unwrap().len(),
        2,
        "{submission}"
    );
    assert_eq!(submission["message_id"], first["message_id"]);
    let events = rig.event_types().await;
    assert_eq!(
        events.iter().filter(|event| *event == "send.requested").count(),
        1
    );
}

#[tokio::test]
async fn two_at_the_same_moment_are_one_mail() {
    sent_at_the_same_moment(Rig::start().await).await;
}

#[tokio::test]
async fn two_at_the_same_moment_are_one_mail_on_postgres() {
    sent_at_the_same_moment(Rig::start_on_postgres().await).await;
}

async fn sent_at_the_same_moment(rig: Rig) {
    let (_, id) = rig.connected("send-race").await;
    let id = id.to_string();
    let body = json!({"to": ["bob@example.test"], "subject": "Race", "text": "x"});
    let (one, two) = tokio::join!(send(&rig, &id, "k", &body), send(&rig, &id, "k", &body));
    assert_eq!(one.0, StatusCode::ACCEPTED, "{}", one.1);
    assert_eq!(one.1["submission_id"], two.1["submission_id"]);
}

#[tokio::test]
async fn what_cannot_be_sent_names_its_field() {
    let rig = Rig::start().await;
    let (_, id) = rig.connected("send-bad").await;
    let id = id.to_string();
    let base = || json!({"to": ["bob@example.test"], "subject": "s", "text": "t"});
    for (change, status, code, field) in [
        (json!({"to": []}), 422, "no_recipient", "to"),
        (json!({"to": ["bob"]}), 422, "invalid_address", "to"),
        (json!({"cc": ["b@x\r\nDATA"]}), 422, "invalid_address", "cc"),
        (
            json!({"subject": "s\r\nBcc: x@y"}),
            422,
            "control_character",
            "subject",
        ),
        (
            json!({"from_name": "A\r\nB"}),
            422,
            "invalid_sender_name",
            "from_name",
        ),
        (
            json!({"in_reply_to": "no id"}),
            422,
            "invalid_message_id",
            "in_reply_to",
        ),
        (
            json!({"attachments": [{"name": "a", "content": "***"}]}),
            422,
            "invalid_base64",
            "attachments[0].content",
        ),
        (
            json!({"attachments": [{"name": "a", "content": "", "type": "x"}]}),
            422,
            "invalid_content_type",
            "attachments",
        ),
        (json!({"raw": "aGk="}), 422, "raw_and_parts", "raw"),
        (json!({"subjekt": "s"}), 400, "invalid_field", "subjekt"),
    ] {
        let mut body = base();
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (seen, problem) = send(&rig, &id, "k", &body).await;
        assert_eq!(seen.as_u16(), status, "{change}: {problem}");
        assert_eq!(
            (problem["code"].as_str(), problem["field"].as_str()),
            (Some(code), Some(field)),
            "{change}: {problem}"
        );
    }
    let mut large = base();
    large["attachments"] = json!([{"name": "a", "content": STANDARD.encode(vec![7; 1_040_000])}]);
    let (status, problem) = send(&rig, &id, "k", &large).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (413, Some("message_too_large"))
    );
}

#[tokio::test]
async fn a_raw_mail_leaves_without_its_bcc_and_under_no_other_name() {
    let rig = Rig::start().await;
    let (user, id) = rig.connected("send-raw").await;
    let id = id.to_string();
    let raw = |from: &str| {
        let text =
            format!("From: {from}\nTo: bob@example.test\nBcc: cy@example.test\nSubject: Raw\n\nText\n");
        json!({ "raw": STANDARD.encode(text) })
    };
    let (status, taken) = send(&rig, &id, "k", &raw(&user.address)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{taken}");
    let (_, submission) = rig
        .get(&format!(
            "/v1/submissions/{}",
            taken["submission_id"].as_str().unwrap()
        ))
        .await;
    let recipients: Vec<_> = submission["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|to| to["address"].as_str().unwrap())
        .collect();
    assert_eq!(recipients, ["bob@example.test", "cy@example.test"]);
    assert_eq!(submission["subject"], "Raw");
    let (status, problem) = send(&rig, &id, "k2", &raw("somebody@else.test")).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (422, Some("from_not_own"))
    );
}
