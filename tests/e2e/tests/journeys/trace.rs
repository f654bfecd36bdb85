//! One request is one trace: from HTTP through the outbox and the bus to the command on the mail server.

use std::{collections::BTreeSet, time::Duration};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes};
use postroom_test_support::{Testbed, eventually};
use prost::Message;
use reqwest::Method;
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

in_both_modes!(a_request_is_one_trace_to_the_mail_server);

const PATIENCE: Duration = Duration::from_secs(30);

async fn a_request_is_one_trace_to_the_mail_server(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    // No collector is part of the testbed; this one keeps what it is sent.
    let collector = MockServer::start().await;
    let accept = Mock::given(matchers::path("/v1/traces")).respond_with(ResponseTemplate::new(200));
    accept.mount(&collector).await;
    let environment = vec![("POSTROOM_OTLP_ENDPOINT".to_owned(), collector.uri())];
    let options = StackOptions {
        environment,
        ..StackOptions::default()
    };
    let stack = Stack::start(mode, options).await.unwrap();
    let user = testbed.create_user("trace").unwrap();
    let account = stack.connect_by_password(&testbed, &user).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;

    let send = json!({ "to": [user.address], "subject": "traced", "text": "x" });
    let sent = asked(&stack, "5", &format!("/v1/accounts/{account}/send"), &send).await;
    wait_for_spans(
        &collector,
        &sent,
        &["handle postroom.send.requested.v1", "smtp.begin", "smtp.finish"],
    )
    .await;
    let looked = asked(&stack, "7", &format!("/v1/accounts/{account}/sync"), &json!({})).await;
    wait_for_spans(
        &collector,
        &looked,
        &["handle postroom.sync.requested.v1", "imap.work", "imap.visit"],
    )
    .await;
}

/// POSTs with a trace of our own. Gives its id.
async fn asked(stack: &Stack, digit: &str, path: &str, body: &serde_json::Value) -> String {
    let trace = digit.repeat(32);
    let request = stack
        .api
        .request(Method::POST, path)
        .header("traceparent", format!("00-{trace}-{}-01", "3".repeat(16)));
    let answer = request.json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    trace
}

/// Waits until the collector has spans of these names in that trace.
async fn wait_for_spans(collector: &MockServer, trace: &str, names: &[&str]) {
    eventually(PATIENCE, &format!("the spans {names:?} of one trace"), || async {
        let seen = spans(collector, trace).await;
        let missing: Vec<_> = names.iter().filter(|name| !seen.contains(**name)).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{missing:?} are missing; there are {seen:?}"))
        }
    })
    .await;
}

async fn spans(collector: &MockServer, trace: &str) -> BTreeSet<String> {
    let requests = collector.received_requests().await.unwrap();
    let exports = requests
        .iter()
        .map(|request| ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap());
    let scopes = exports
        .flat_map(|export| export.resource_spans)
        .flat_map(|resource| resource.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    spans
        .filter(|span| hex(&span.trace_id) == trace)
        .map(|span| span.name)
        .collect()
}
