//! A trace goes from a span into an event, out of it again, and to a collector.
//! (A test of its own: it sets up the traces of its process.)

use postroom_telemetry::{LogFormat, TelemetryConfig, current_traceparent, init, span_for_event};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_from_writer_to_handler_to_collector() {
    // No collector is part of the testbed; this one keeps what it is sent.
    let collector = MockServer::start().await;
    let answer = ResponseTemplate::new(200);
    Mock::given(method("POST"))
        .and(path("/v1/traces"))
        .respond_with(answer)
        .mount(&collector)
        .await;
    let config = TelemetryConfig {
        service: "test-service",
        log_format: LogFormat::Readable,
        filter: "info".to_owned(),
        otlp_endpoint: Some(collector.uri().parse().unwrap()),
    };
    let guard = init(&config).unwrap();
    assert_eq!(
        current_traceparent(),
        None,
        "outside of any span there is no trace"
    );

    let written = tracing::info_span!("request").in_scope(|| current_traceparent().unwrap());
    let [version, trace_id, span_id, flags] = written.split('-').collect::<Vec<_>>()[..] else {
        panic!("{written}")
    };
    assert_eq!(
        (version, trace_id.len(), span_id.len(), flags),
        ("00", 32, 16, "01")
    );

    let handler = span_for_event("imap-fetcher", "account.connected", "1", Some(&written));
    let inside = handler.in_scope(|| current_traceparent().unwrap());
    assert!(
        inside.contains(trace_id) && !inside.contains(span_id),
        "{inside} continues {written}"
    );

    for nonsense in ["", "x", &"0".repeat(55), &format!("{written}-more")] {
        let alone = span_for_event("imap-fetcher", "account.connected", "2", Some(nonsense));
        let own = alone.in_scope(|| current_traceparent().unwrap());
        assert!(!own.contains(trace_id), "{nonsense:?} begins a trace of its own");
    }

    drop(handler);
    drop(guard);
    let requests = collector.received_requests().await.unwrap();
    let bodies: Vec<u8> = requests.iter().flat_map(|request| request.body.clone()).collect();
    let holds = |text: &str| bodies.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(
        holds("test-service") && holds("handle account.connected"),
        "{} requests",
        requests.len()
    );
}
