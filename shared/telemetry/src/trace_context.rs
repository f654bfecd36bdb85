//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>) over HTTP and the bus.

use std::collections::HashMap;
use std::fmt::Display;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const HEADER: &str = "traceparent";
/// Length of a version 00 `traceparent`; a longer one comes from somebody we do not know.
const LENGTH: usize = 55;

/// The `traceparent` of the current span, to be written into an event or a request; `None` outside of any span.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            span.trace_flags().to_u8()
        )
    })
}

/// Makes `span` a child of the span that `traceparent` names. Call it before the span is entered. A value that
/// is not a version 00 `traceparent` is ignored, as the standard asks: the span then begins a trace of its own.
pub fn set_parent_from(span: &Span, traceparent: &str) {
    if traceparent.len() != LENGTH {
        return;
    }
    let carrier = HashMap::from([(HEADER.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    // Fails only for a span that was started already or is filtered out; there is nothing to join then.
    let _ = span.set_parent(parent);
}

/// The span in which `consumer` handles one event, a child of the span that wrote the event.
#[must_use]
pub fn span_for_event(
    consumer: &str,
    event_type: &str,
    event_id: impl Display,
    traceparent: Option<&str>,
) -> Span {
    let span = tracing::info_span!(
        "event",
        otel.name = format!("handle {event_type}"),
        otel.kind = "consumer",
        consumer,
        event.r#type = event_type,
        event.id = %event_id,
    );
    if let Some(traceparent) = traceparent {
        set_parent_from(&span, traceparent);
    }
    span
}
