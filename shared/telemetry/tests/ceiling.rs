//! The loudest filter there is does not make a library print what goes over the wire.
//! (A test of its own: it sets up the logs of its process.)

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use postroom_telemetry::{LogFormat, TelemetryConfig, init_with_writer};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::ErrorKind::Other)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn wire_bytes_are_never_logged() {
    let captured = Captured::default();
    let writer = captured.clone();
    let config = TelemetryConfig {
        service: "test",
        log_format: LogFormat::Json,
        filter: "trace,async_imap=trace,async_imap::imap_stream=trace,[connect]=trace".to_owned(),
        otlp_endpoint: None,
    };
    let _guard = init_with_writer(&config, move || writer.clone()).unwrap();

    let _span = tracing::info_span!("connect").entered();
    // async-imap uses `log`, lapin uses `tracing`; both ways in are tried.
    log::trace!(target: "async_imap::imap_stream", "encode: A1 LOGIN user canary-log");
    log::error!(target: "imap_proto::parser", "canary-error");
    tracing::trace!(target: "async_imap", "canary-tracing");
    tracing::trace!(target: "lapin::channels", "StartOk canary-frame");
    tracing::debug!(target: "h2::codec::framed_write", "authorization: canary-header");
    tracing::debug!(target: "lapin::channels", "lapin may say this");
    log::trace!(target: "imap_fetcher", "a worker may say this");

    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("canary"), "{text}");
    assert!(
        text.contains("lapin may say this") && text.contains("a worker may say this"),
        "{text}"
    );
    for line in text.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "not JSON: {line}");
    }
}
