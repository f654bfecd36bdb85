//! Whether a process is well and ready, and its metrics: `/healthz`, `/readyz`, `/metrics`.

use std::{sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use postroom_bus::Bus;
use postroom_store::{ConnectionTrait, Store};
use serde_json::json;

/// A database that has not answered a ping by then is not ready.
const PING: Duration = Duration::from_secs(2);

/// Whether a process is well and ready.
#[derive(Clone)]
pub struct Health {
    store: Store,
    bus: Arc<dyn Bus>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Health")
    }
}

impl Health {
    pub(crate) fn new(store: Store, bus: Arc<dyn Bus>) -> Self {
        Self { store, bus }
    }

    /// What is not usable right now; empty when this process is ready.
    pub async fn faults(&self) -> Vec<&'static str> {
        let mut faults = Vec::new();
        let ping = self.store.read().execute_unprepared("select 1");
        if !matches!(tokio::time::timeout(PING, ping).await, Ok(Ok(_))) {
            faults.push("The database does not answer.");
        }
        if !self.bus.is_up() {
            faults.push("The message broker is not connected.");
        }
        faults
    }

    /// The routes of health and metrics.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let faults = health.faults().await;
    let status = if faults.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ready": faults.is_empty(), "faults": faults })),
    )
}

async fn metrics() -> impl IntoResponse {
    (
        [("content-type", "text/plain; version=0.0.4")],
        postroom_telemetry::metrics_handle().render(),
    )
}
