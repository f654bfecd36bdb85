//! Setting up logs and traces, once per process.

use std::io::{self, IsTerminal as _};
use std::str::FromStr;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};
use url::Url;

use crate::ceiling;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Readable,
    /// One JSON object a line, for log collectors.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "readable" => Ok(Self::Readable),
            "json" => Ok(Self::Json),
            other => Err(format!(
                "The log format `{other}` is not known. Use `readable` or `json`."
            )),
        }
    }
}

/// What an operator can choose.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// `service.name` of exported traces.
    pub service: &'static str,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`: `info`, `info,imap_fetcher=debug`. See also [`crate::ceiling`].
    pub filter: String,
    /// Base URL of an OTLP/HTTP collector, such as `http://collector:4318`; `None` exports nothing.
    pub otlp_endpoint: Option<Url>,
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("The log filter `{filter}` cannot be read: {cause}. Write it like `info,imap_fetcher=debug`.")]
    Filter {
        /// The filter as configured.
        filter: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The exporter cannot be made.
    #[error("Traces cannot be exported to {endpoint}: {cause}. Check the OTLP endpoint.")]
    Exporter {
        /// The endpoint as configured.
        endpoint: Url,
        /// What is wrong with it.
        cause: String,
    },
    /// This process has set up its logs already.
    #[error("Logs are set up already in this process.")]
    AlreadySet,
}

/// Keeps the export of traces alive; what is still waiting is sent when it is dropped, for 3 seconds at most.
#[must_use = "dropping the guard ends the export of traces"]
#[derive(Debug)]
pub struct Guard {
    provider: SdkTracerProvider,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(Duration::from_secs(3)) {
            tracing::warn!(%error, "Some traces were not exported");
        }
    }
}

/// Sets up logs on standard error, and traces.
///
/// # Errors
/// [`TelemetryError`]
pub fn init(config: &TelemetryConfig) -> Result<Guard, TelemetryError> {
    let colours = io::stderr().is_terminal();
    set_up(config, io::stderr, colours)
}

/// As [`init`], with logs going to `writer`: for tests that read what was logged.
///
/// # Errors
/// [`TelemetryError`]
pub fn init_with_writer<W>(config: &TelemetryConfig, writer: W) -> Result<Guard, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    set_up(config, writer, false)
}

fn set_up<W>(config: &TelemetryConfig, writer: W, colours: bool) -> Result<Guard, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| TelemetryError::Filter {
        filter: config.filter.clone(),
        cause: error.to_string(),
    })?;
    let provider = tracer_provider(config)?;
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("postroom"));
    Registry::default()
        .with(filter)
        .with(filter_fn(ceiling::allows))
        .with(traces)
        .with(log_layer(config.log_format, writer, colours))
        .try_init()
        .map_err(|_| TelemetryError::AlreadySet)?;
    Ok(Guard { provider })
}

/// Spans get trace ids even when nothing is exported, so that events carry one trace from the first service on
/// and a worker that does export finds the whole of it.
fn tracer_provider(config: &TelemetryConfig) -> Result<SdkTracerProvider, TelemetryError> {
    let resource = Resource::builder().with_service_name(config.service).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok(builder.build());
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(traces_url(endpoint))
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(|error| TelemetryError::Exporter {
            endpoint: endpoint.clone(),
            cause: error.to_string(),
        })?;
    Ok(builder.with_batch_exporter(exporter).build())
}

/// OTLP/HTTP appends the signal's path to a base URL.
fn traces_url(base: &Url) -> String {
    let base = base.as_str().trim_end_matches('/');
    if base.ends_with("/v1/traces") {
        base.to_owned()
    } else {
        format!("{base}/v1/traces")
    }
}

fn log_layer<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Readable => layer.with_ansi(colours).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_path_is_added_once() {
        for (base, expected) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://host/otlp", "https://host/otlp/v1/traces"),
            ("https://host/v1/traces", "https://host/v1/traces"),
        ] {
            assert_eq!(traces_url(&base.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let config = TelemetryConfig {
            service: "test",
            log_format: LogFormat::Json,
            filter: "info,imap_fetcher=loud".to_owned(),
            otlp_endpoint: None,
        };
        let error = init(&config).unwrap_err().to_string();
        assert!(error.contains("info,imap_fetcher=loud"), "{error}");
    }

    #[test]
    fn log_formats_have_names() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("readable".parse(), Ok(LogFormat::Readable));
        assert!(
            LogFormat::from_str("xml")
                .unwrap_err()
                .contains("`readable` or `json`")
        );
    }
}
