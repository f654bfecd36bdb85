//! Deliveries that were given up, and wait for a person to requeue or discard them.

use postroom_events::{Consumer, DeadLetterId, EventEnvelope, ReplayId, TenantId};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};

use crate::{DeadLetter, StoreError, Tx, entities::dead_letter};

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

/// An open dead letter of a tenant.
///
/// # Errors
/// [`StoreError::NotFound`], also when it belongs to somebody else or is settled.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    id: DeadLetterId,
) -> Result<DeadLetter, StoreError> {
    dead_letter::Entity::find_by_id(id)
        .filter(dead_letter::Column::TenantId.eq(tenant_id))
        .filter(dead_letter::Column::SettledAt.is_null())
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("dead letter", id))
}

/// Marks a dead letter as `requeued` or `discarded`.
///
/// # Errors
/// When there is none such that is open, or the database refuses.
pub async fn settle(tx: &Tx, id: DeadLetterId, settled_as: &'static str) -> Result<DeadLetter, StoreError> {
    let letter = dead_letter::Entity::find_by_id(id)
        .filter(dead_letter::Column::SettledAt.is_null())
        .one(tx.db())
        .await?
        .ok_or_else(|| StoreError::not_found("open dead letter", id))?;
    let mut row = letter.into_active_model();
    row.settled_at = Set(Some(tx.store().clock().now()));
    row.settled_as = Set(Some(settled_as.to_owned()));
    Ok(row.update(tx.db()).await?)
}
