//! The Prometheus side of metrics.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::names;

/// Upper bounds in seconds: from a commit (milliseconds) to a backfill step (minutes).
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Histograms keep single values until somebody reads them or this has passed.
const UPKEEP: Duration = Duration::from_secs(5);

/// Renders this process's metrics.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// All metrics in the Prometheus text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }
}

impl std::fmt::Debug for MetricsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetricsHandle")
    }
}

/// The handle to this process's metrics. The first call starts recording; what was counted before is lost, so
/// make it early. All services of one process share one handle.
pub fn metrics_handle() -> MetricsHandle {
    static HANDLE: OnceLock<MetricsHandle> = OnceLock::new();
    HANDLE.get_or_init(start).clone()
}

fn start() -> MetricsHandle {
    let builder = PrometheusBuilder::new();
    // Refuses only an empty list of buckets.
    let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS) {
        Ok(builder) => builder,
        Err(_) => PrometheusBuilder::new(),
    };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::error!("Another metrics recorder is installed: /metrics stays empty");
    }
    names::describe_all();
    keep_up(handle.clone());
    MetricsHandle(handle)
}

/// A process that nobody scrapes would otherwise pile up histogram values without end.
fn keep_up(handle: PrometheusHandle) {
    let upkeep = move || {
        loop {
            std::thread::sleep(UPKEEP);
            handle.run_upkeep();
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(upkeep)
    {
        tracing::error!(%error, "The thread that tidies metrics could not be started");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_recorded_once_and_rendered_with_their_help() {
        let first = metrics_handle();
        metrics::counter!(names::EVENTS_HANDLED, "consumer" => "c", "type" => "t", "outcome" => "done")
            .increment(2);
        metrics::histogram!(names::EVENT_HANDLING_SECONDS, "consumer" => "c").record(0.02);
        let text = metrics_handle().render();
        let counted = r#"postroom_events_handled_total{consumer="c",type="t",outcome="done"} 2"#;
        assert!(text.contains(counted), "{text}");
        assert!(
            text.contains("# HELP postroom_events_handled_total Deliveries settled"),
            "{text}"
        );
        let bucket = r#"postroom_event_handling_seconds_bucket{consumer="c",le="0.025"} 1"#;
        assert!(text.contains(bucket), "{text}");
        assert_eq!(first.render(), metrics_handle().render());
    }
}
