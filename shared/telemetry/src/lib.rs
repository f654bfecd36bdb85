//! What the operator sees: logs, traces that follow one request through events and workers, and metrics.
//!
//! - [`init`] sets up logs (readable or JSON, on standard error) and, when configured, the export of traces.
//! - [`trace_context`] carries a trace over the bus: into an event when it is written, out of it when it is handled.
//! - [`metrics_handle`] renders metrics for Prometheus; their names stand in [`names`].
//!
//! Invariant: no configuration can make a library print what it sends over the wire ([`ceiling`]); passwords go
//! over it.

pub mod ceiling;
mod init;
mod metrics_handle;
pub mod names;
pub mod trace_context;

pub use init::{Guard, LogFormat, TelemetryConfig, TelemetryError, init, init_with_writer};
pub use metrics_handle::{MetricsHandle, metrics_handle};
pub use trace_context::{current_traceparent, set_parent_from, span_for_event};
