//! Deliveries that were given up, and wait for a person to requeue or discard them.

use postroom_events::{Consumer, DeadLetterId, EventEnvelope, EventId, ReplayId, TenantId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::{
    DeadLetter, StoreError, Tx,
    entities::dead_letter,
    events::{self, stored::Unreadable},
};

/// What is kept of a delivery that was given up.
#[derive(Debug, Clone)]
pub struct NewDeadLetter {
    /// Who gave it up.
    pub consumer: String,
    /// The event, if it could be read.
    pub envelope: Option<EventEnvelope>,
    /// The live replay that it belonged to.
    pub replay_id: ReplayId,
    /// The event as it was on the bus.
    pub body: Vec<u8>,
    /// Why it was given up.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
}

impl NewDeadLetter {
    /// A delivery of a readable event.
    pub fn of(
        consumer: Consumer,
        envelope: EventEnvelope,
        replay_id: ReplayId,
        reason: String,
        attempts: i32,
    ) -> Self {
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        Self {
            consumer: consumer.name().to_owned(),
            envelope: Some(envelope),
            replay_id,
            body,
            reason,
            attempts,
        }
    }

    /// A delivery whose stored envelope cannot be read. What the log knows of the event goes with it, so that its owner
    /// sees it.
    pub(crate) async fn unreadable(
        tx: &Tx,
        consumer: &str,
        event_id: EventId,
        replay_id: ReplayId,
        attempts: i32,
        unreadable: Unreadable,
    ) -> Self {
        let Unreadable { body, reason } = unreadable;
        tracing::error!(bus.consumer = consumer, event.id = %event_id, reason, "A stored event cannot be read");
        Self {
            consumer: consumer.to_owned(),
            // One that the log cannot give either becomes a letter all the same.
            envelope: events::find(tx.db(), None, event_id).await.ok(),
            replay_id,
            body,
            reason: format!("What was stored of the event cannot be read: {reason}."),
            attempts,
        }
    }
}

/// Keeps a delivery that was given up.
///
/// # Errors
/// When the database refuses.
pub async fn keep(tx: &Tx, letter: NewDeadLetter) -> Result<DeadLetterId, StoreError> {
    let id = DeadLetterId::generate();
    let envelope = letter.envelope;
    let row = dead_letter::ActiveModel {
        id: Set(id),
        consumer: Set(letter.consumer),
        event_id: Set(envelope.as_ref().map(|envelope| envelope.id)),
        replay_id: Set(Some(letter.replay_id)),
        event_type: Set(envelope.as_ref().map(|envelope| envelope.event_type.clone())),
        tenant_id: Set(envelope.as_ref().map(|envelope| envelope.tenant_id)),
        subject: Set(envelope.as_ref().map(|envelope| envelope.subject)),
        body: Set(letter.body),
        reason: Set(letter.reason),
        attempts: Set(letter.attempts),
        created_at: Set(tx.store().clock().now()),
        settled_at: Set(None),
        settled_as: Set(None),
    };
    dead_letter::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    Ok(id)
}

/// The open dead letters, oldest first. `tenant_id` names the owner; `None` is for operators alone.
///
/// # Errors
/// When the database refuses.
pub async fn open(
    db: &impl ConnectionTrait,
    tenant_id: Option<TenantId>,
    limit: u64,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut query = dead_letter::Entity::find().filter(dead_letter::Column::SettledAt.is_null());
    if let Some(tenant_id) = tenant_id {
        query = query.filter(dead_letter::Column::TenantId.eq(tenant_id));
    }
    Ok(query
        .order_by_asc(dead_letter::Column::CreatedAt)
        .limit(limit.clamp(1, 1000))
        .all(db)
        .await?)
}

/// A dead letter of a tenant, open or settled.
///
/// # Errors
/// [`StoreError::NotFound`], also when it belongs to somebody else.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    id: DeadLetterId,
) -> Result<DeadLetter, StoreError> {
    dead_letter::Entity::find_by_id(id)
        .filter(dead_letter::Column::TenantId.eq(tenant_id))
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("dead letter", id))
}

/// Marks an open dead letter as `requeued` or `discarded`. Of several who try at once, one succeeds.
///
/// # Errors
/// [`StoreError::Outdated`] when it is settled already, or the database refuses.
pub async fn settle(tx: &Tx, id: DeadLetterId, settled_as: &'static str) -> Result<DeadLetter, StoreError> {
    use dead_letter::Column;
    let settled = dead_letter::Entity::update_many()
        .col_expr(Column::SettledAt, Expr::value(Some(tx.store().clock().now())))
        .col_expr(Column::SettledAs, Expr::value(Some(settled_as)))
        .filter(Column::Id.eq(id))
        .filter(Column::SettledAt.is_null())
        .exec_with_returning(tx.db())
        .await?;
    settled
        .into_iter()
        .next()
        .ok_or_else(|| StoreError::outdated("dead letter", id))
}
