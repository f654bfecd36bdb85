//! The event log of a tenant.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use postroom_events::{EventEnvelope, EventId};
use postroom_store::{
    HandlingOutcome,
    events::{self, EventFilter},
    handled,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::paging::{Page, limit, page, read_time_cursor, time_cursor};
use crate::{
    http::{
        extract::{ApiId, ApiQuery, ApiTenant},
        problem::Problem,
    },
    state::AppState,
};

/// The query of the URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    subject: Option<Uuid>,
    account: Option<Uuid>,
    r#type: Option<String>,
    correlation: Option<Uuid>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    after: Option<String>,
    limit: Option<u64>,
}

/// `GET /v1/events`: oldest first. `next` of a page that is not full is given too, so that a program can follow the log.
pub(super) async fn list(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<EventEnvelope>>, Problem> {
    let limit = limit(query.limit);
    let filter = EventFilter {
        tenant_id: Some(tenant.0),
        subject: query.account.or(query.subject),
        event_type: query.r#type,
        correlation_id: query.correlation,
        since: query.since,
        until: query.until,
        after: query
            .after
            .as_deref()
            .map(|after| read_time_cursor(after, "after"))
            .transpose()?,
        limit,
    };
    let found = events::list(state.store().read(), &filter).await?;
    let cursor = |envelope: &EventEnvelope| time_cursor(envelope.time, envelope.id.0);
    let last = found.last().map(cursor).or(query.after);
    let mut shown = page(found, limit, cursor, |envelope| envelope);
    shown.next = last;
    Ok(Json(shown))
}

/// An event, and how each service handled it.
#[derive(Debug, Serialize)]
pub(super) struct EventView {
    #[serde(flatten)]
    envelope: EventEnvelope,
    handled: Vec<HandlingView>,
}

#[derive(Debug, Serialize)]
struct HandlingView {
    consumer: String,
    attempt: i32,
    verdict: String,
    error_class: Option<String>,
    error: Option<String>,
    started_at: DateTime<Utc>,
    finished_at: DateTime<Utc>,
}

impl From<HandlingOutcome> for HandlingView {
    fn from(row: HandlingOutcome) -> Self {
        Self {
            consumer: row.consumer,
            attempt: row.attempt,
            verdict: row.verdict,
            error_class: row.error_class,
            error: row.error,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// `GET /v1/events/{id}`
pub(super) async fn show(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<EventId>,
) -> Result<Json<EventView>, Problem> {
    let db = state.store().read();
    let envelope = events::find(db, Some(tenant.0), id).await?;
    let outcomes = handled::outcomes(db, envelope.id).await?;
    Ok(Json(EventView {
        envelope,
        handled: outcomes.into_iter().map(HandlingView::from).collect(),
    }))
}
