//! Outgoing mail: what was asked for, and what became of it for each recipient.
//!
//! A submission is finished when nothing more is tried: `finished_at`. Until then its state tells the best that is known:
//! `sent` as soon as the server took it for anybody, although another recipient may still be tried.

mod attempt;
mod claim;
mod finish;
mod waiting;

use std::time::Duration;

use postroom_events::{AccountId, SubmissionId, SubmissionState, TenantId};
use postroom_retry::clock;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    StoreError, Submission, SubmissionRecipient, Tx,
    entities::{submission, submission_recipient},
    packs::{Frame, StoredPack},
};

pub use self::{
    attempt::{Attempt, Begun, RecipientResult, Started, begin_attempt, mark_uncertain},
    claim::{Phase, Standing, renew_claims, standing},
    finish::{Ending, Written, finish_attempt},
    waiting::{Waiting, bring_forward, put_off},
};

/// A mail that is to be sent. Its raw bytes are in a pack that is durable already.
#[derive(Debug)]
pub struct NewSubmission<'a> {
    /// Its id, chosen by the caller, so that the event can name it.
    pub id: SubmissionId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The account that it is sent from.
    pub account_id: AccountId,
    /// The key that makes a repeated request one mail.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the request: the same key with another request is refused.
    pub request_digest: [u8; 32],
    /// `Message-ID`, without angle brackets.
    pub message_id_header: String,
    /// The envelope's sender.
    pub envelope_from: String,
    /// The subject, for people who look the submission up.
    pub subject: String,
    /// The pack with the raw mail; its row is inserted here.
    pub pack: &'a StoredPack,
    /// Where the raw mail lies in it.
    pub frame: Frame,
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// How long it is tried.
    pub give_up_after: Duration,
}

/// Keeps a mail that is to be sent, in state `queued`, due now.
///
/// # Errors
/// [`StoreError::AlreadyExists`] when the tenant has used the idempotency key already: nothing of this transaction may
/// stay then.
pub async fn create(tx: &Tx, new: NewSubmission<'_>) -> Result<Submission, StoreError> {
    let now = tx.store().clock().now();
    new.pack.insert(tx).await?;
    let row = Submission {
        id: new.id,
        tenant_id: new.tenant_id,
        account_id: new.account_id,
        idempotency_key: new.idempotency_key,
        request_digest: new.request_digest.to_vec(),
        message_id_header: new.message_id_header,
        envelope_from: new.envelope_from,
        subject: new.subject,
        pack_id: new.pack.id,
        pack_offset: new.frame.offset as i64,
        pack_length: new.frame.length as i64,
        size: new.frame.size as i64,
        state: SubmissionState::Queued,
        cause: None,
        server_reply: None,
        attempt: 0,
        phase: Phase::Waiting.as_str().to_owned(),
        holder: None,
        held_until: None,
        next_attempt_at: Some(now),
        give_up_at: clock::plus(now, new.give_up_after),
        sent_copy: "pending".to_owned(),
        created_at: now,
        finished_at: None,
        request_event_id: None,
    };
    submission::Entity::insert(submission::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.db())
        .await
        .map_err(|error| StoreError::on_duplicate(error, "submission", "idempotency key"))?;
    let recipients =
        new.recipients
            .into_iter()
            .enumerate()
            .map(|(number, address)| submission_recipient::ActiveModel {
                submission_id: Set(row.id),
                number: Set(number as i32),
                address: Set(address),
                state: Set(SubmissionState::Queued),
                smtp_code: Set(None),
                enhanced_code: Set(None),
                server_reply: Set(None),
                updated_at: Set(now),
            });
    submission_recipient::Entity::insert_many(recipients)
        .exec_without_returning(tx.db())
        .await?;
    Ok(row)
}

/// A submission, whoever it belongs to: for the services themselves.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(db: &impl ConnectionTrait, id: SubmissionId) -> Result<Submission, StoreError> {
    submission::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("submission", id))
}

/// A submission of a tenant.
///
/// # Errors
/// [`StoreError::NotFound`], also when it belongs to somebody else.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    id: SubmissionId,
) -> Result<Submission, StoreError> {
    submission::Entity::find_by_id(id)
        .filter(submission::Column::TenantId.eq(tenant_id))
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("submission", id))
}

/// The submission that a tenant made with an idempotency key, if there is one.
///
/// # Errors
/// When the database refuses.
pub async fn find_by_key(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    key: &str,
) -> Result<Option<Submission>, StoreError> {
    Ok(submission::Entity::find()
        .filter(submission::Column::TenantId.eq(tenant_id))
        .filter(submission::Column::IdempotencyKey.eq(key))
        .one(db)
        .await?)
}

/// The recipients of a submission, in order.
///
/// # Errors
/// When the database refuses.
pub async fn recipients(
    db: &impl ConnectionTrait,
    id: SubmissionId,
) -> Result<Vec<SubmissionRecipient>, StoreError> {
    Ok(submission_recipient::Entity::find()
        .filter(submission_recipient::Column::SubmissionId.eq(id))
        .order_by_asc(submission_recipient::Column::Number)
        .all(db)
        .await?)
}
