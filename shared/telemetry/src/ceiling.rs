//! The ceiling above the log filter: what some libraries may never print, whatever the filter says.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

/// Crates (and all their modules) with the most detailed level that they may log at, and why.
///
/// It stands above `RUST_LOG` and any other filter, because a person who looks for a fault turns everything up
/// and then sends the log to somebody.
pub const CEILINGS: &[(&str, LevelFilter)] = &[
    // trace prints every line that is read or written: LOGIN and AUTHENTICATE with them
    ("async_imap", LevelFilter::OFF),
    ("imap_proto", LevelFilter::OFF),
    // trace prints whole frames: the broker's password is in StartOk, events in the others
    ("lapin", LevelFilter::DEBUG),
    ("amq_protocol", LevelFilter::DEBUG),
    // debug and trace print header blocks: Authorization, cookies, authorization codes in query strings
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("hyper_util", LevelFilter::INFO),
    ("reqwest", LevelFilter::INFO),
    ("oauth2", LevelFilter::INFO),
    ("object_store", LevelFilter::INFO),
    // debug prints statements; values are bound, but a migration's or a driver's statement may hold some
    ("sqlx", LevelFilter::INFO),
    ("sea_orm_migration", LevelFilter::WARN), // a line for each step at each start says nothing
    ("sea_orm", LevelFilter::INFO),
    // trace prints handshake messages
    ("rustls", LevelFilter::DEBUG),
    ("tokio_rustls", LevelFilter::DEBUG),
    // its exporter would otherwise trace its own requests
    ("opentelemetry", LevelFilter::INFO),
    ("opentelemetry_sdk", LevelFilter::INFO),
    ("opentelemetry_otlp", LevelFilter::INFO),
    ("opentelemetry_http", LevelFilter::INFO),
];

/// Whether the ceiling lets this span or log line pass.
#[must_use]
pub fn allows(metadata: &Metadata<'_>) -> bool {
    let crate_name = metadata.target().split("::").next().unwrap_or_default();
    let ceiling = CEILINGS.iter().find(|(name, _)| *name == crate_name);
    ceiling.is_none_or(|(_, ceiling)| metadata.level() <= ceiling)
}
