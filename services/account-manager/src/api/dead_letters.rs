//! Deliveries that were given up: read, requeue, discard.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use postroom_events::{Consumer, DeadLetterId, EventEnvelope, EventId, ReplayId, TenantId};
use postroom_store::{
    DeadLetter, StoreError, Tx, dead_letters,
    retries::{self, Retry},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::paging::{Page, limit};
use crate::{
    http::{
        extract::{ApiId, ApiQuery, ApiTenant},
        problem::Problem,
    },
    state::AppState,
};

/// A dead letter as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct DeadLetterView {
    id: DeadLetterId,
    consumer: String,
    event_id: Option<EventId>,
    event_type: Option<String>,
    subject: Option<Uuid>,
    reason: String,
    attempts: i32,
    created_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
    settled_as: Option<String>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(row: DeadLetter) -> Self {
        Self {
            id: row.id,
            consumer: row.consumer,
            event_id: row.event_id,
            event_type: row.event_type,
            subject: row.subject,
            reason: row.reason,
            attempts: row.attempts,
            created_at: row.created_at,
            settled_at: row.settled_at,
            settled_as: row.settled_as,
        }
    }
}

/// The query of the URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<u64>,
}

/// `GET /v1/dead-letters`: the open ones, oldest first.
pub(super) async fn list(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<DeadLetterView>>, Problem> {
    let rows = dead_letters::open(state.store().read(), Some(tenant.0), limit(query.limit)).await?;
    Ok(Json(Page {
        items: rows.into_iter().map(DeadLetterView::from).collect(),
        next: None,
    }))
}

/// `POST /v1/dead-letters/{id}/requeue`: hand the event to its consumer once more, with fresh attempts.
pub(super) async fn requeue(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<DeadLetterId>,
) -> Result<Json<DeadLetterView>, Problem> {
    let tx = state.store().begin("dead_letter.requeue").await?;
    let settled = settle(&tx, tenant.0, id, "requeued").await?;
    let (consumer, envelope) = readable(&settled)?;
    let retry = Retry {
        consumer,
        envelope,
        attempt: 1,
        // A replay of its own: the run that was given up counts as handled.
        replay_id: ReplayId(Uuid::now_v7()),
    };
    let now = state.store().clock().now();
    retries::schedule(&tx, &retry, now, "A person requeued the dead letter").await?;
    tx.commit().await?;
    Ok(Json(settled.into()))
}

fn readable(letter: &DeadLetter) -> Result<(Consumer, EventEnvelope), Problem> {
    let consumer = Consumer::by_name(&letter.consumer);
    let envelope = serde_json::from_slice(&letter.body).ok();
    consumer.zip(envelope).ok_or_else(|| {
        Problem::conflict(
            "dead_letter_unreadable",
            "This dead letter cannot be read by this version, so it cannot be handled again. Discard it, or update.",
        )
    })
}

/// `POST /v1/dead-letters/{id}/discard`
pub(super) async fn discard(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<DeadLetterId>,
) -> Result<Json<DeadLetterView>, Problem> {
    let tx = state.store().begin("dead_letter.discard").await?;
    let settled = settle(&tx, tenant.0, id, "discarded").await?;
    tx.commit().await?;
    Ok(Json(settled.into()))
}

/// Settles a dead letter of the tenant, unless somebody else has done so.
async fn settle(
    tx: &Tx,
    tenant_id: TenantId,
    id: DeadLetterId,
    settled_as: &'static str,
) -> Result<DeadLetter, Problem> {
    dead_letters::find_owned(tx.db(), tenant_id, id).await?;
    dead_letters::settle(tx, id, settled_as)
        .await
        .map_err(|error| match error {
            StoreError::Outdated { .. } => Problem::conflict(
                "dead_letter_settled",
                "This dead letter was requeued or discarded already. There is nothing left to do with it.",
            ),
            other => other.into(),
        })
}
