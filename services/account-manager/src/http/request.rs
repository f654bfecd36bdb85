//! What every request gets: an id, a span that joins the caller's trace, a time limit, a count.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    extract::{FromRequestParts, MatchedPath, Request},
    http::{HeaderValue, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use postroom_events::{EventMetadata, TenantId};
use postroom_telemetry::{names, trace_context};
use tracing::Instrument;
use uuid::Uuid;

use super::problem::Problem;

/// The service's name in events.
pub(crate) const SOURCE: &str = "account-manager";
const REQUEST_ID: &str = "x-request-id";
/// Longest request id that is taken over from the caller.
const MAX_REQUEST_ID: usize = 128;
/// Namespace for correlation ids made from request ids that are no UUIDs.
const REQUEST_IDS: Uuid = Uuid::from_u128(0x5bd6_1f1c_9c1e_4f0e_8d5a_3b1d_9f6c_0a11);

/// What ties everything together that one request causes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Correlation(pub(crate) Uuid);

impl Correlation {
    /// Metadata for the events of this request.
    pub(crate) fn metadata(self, tenant_id: TenantId) -> EventMetadata {
        EventMetadata {
            correlation_id: self.0,
            traceparent: trace_context::current_traceparent(),
            ..EventMetadata::started_by(SOURCE, tenant_id)
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Correlation {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let known = parts.extensions.get::<Self>().copied();
        Ok(known.unwrap_or_else(|| Self(Uuid::now_v7())))
    }
}

/// Wraps every request. A request that panics fails alone; one that takes longer than `limit` is given up.
pub(crate) async fn wrap(limit: Duration, mut request: Request, next: Next) -> Response {
    let (request_id, correlation) = identify(&request);
    request.extensions_mut().insert(correlation);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().to_string();
    let span = tracing::info_span!(
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.route = route,
        correlation.id = %correlation.0,
        tenant.id = tracing::field::Empty,
    );
    if let Some(parent) = header(&request, "traceparent") {
        trace_context::set_parent_from(&span, parent);
    }
    let begun = Instant::now();
    let mut response = answer(limit, request, next).instrument(span.clone()).await;
    let status = response.status().as_u16().to_string();
    let took = begun.elapsed();
    metrics::counter!(names::HTTP_REQUESTS, "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!(names::HTTP_REQUEST_SECONDS, "route" => route).record(took.as_secs_f64());
    span.in_scope(|| {
        tracing::debug!(
            status = response.status().as_u16(),
            took_ms = took.as_millis(),
            "Answered"
        )
    });
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

async fn answer(limit: Duration, request: Request<Body>, next: Next) -> Response {
    let guarded = std::panic::AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, guarded).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            // The panic hook has logged where; its text may hold anything and is not repeated.
            tracing::error!("A request panicked");
            Problem::internal().into_response()
        }
        Err(_) => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "took_too_long",
            format!(
                "The request took longer than {} seconds and was given up. Try again.",
                limit.as_secs()
            ),
        )
        .into_response(),
    }
}

/// The id to echo, and the correlation id for events: the caller's own where it is a UUID.
fn identify(request: &Request) -> (String, Correlation) {
    let printable = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match header(request, REQUEST_ID).filter(printable) {
        Some(id) => {
            let correlation =
                Uuid::parse_str(id).unwrap_or_else(|_| Uuid::new_v5(&REQUEST_IDS, id.as_bytes()));
            (id.to_owned(), Correlation(correlation))
        }
        None => {
            let id = Uuid::now_v7();
            (id.to_string(), Correlation(id))
        }
    }
}

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}
