//! One attempt to send a submission: begin, act, finish. The number of the attempt is what every write names, and a write
//! with an older number misses.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use postroom_events::{EventId, SubmissionId, SubmissionState, WorkerId};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, UpdateMany, sea_query::Expr};

use super::{Phase, Standing, find, recipients, standing};
use crate::{
    StoreError, Submission, SubmissionRecipient, Tx,
    entities::{send_attempt, submission, submission_recipient},
};

/// Recipients of one statement.
const CHUNK: usize = 500;

/// The right to try a submission once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The submission.
    pub submission_id: SubmissionId,
    /// Number of the attempt, from 1.
    pub number: i32,
    /// Who makes it.
    pub holder: WorkerId,
}

/// A submission as it was when an attempt began.
#[derive(Debug, Clone)]
pub struct Started {
    /// The attempt.
    pub attempt: Attempt,
    /// The submission, before the attempt.
    pub submission: Submission,
    /// All its recipients, in order; those that are settled already, too.
    pub recipients: Vec<SubmissionRecipient>,
}

/// How beginning an attempt ended.
#[derive(Debug)]
pub enum Begun {
    /// It is ours for as long as the claim lasts.
    Started(Box<Started>),
    /// The attempt before it is over, and nobody can say any more how it ended: [`finish_attempt`] it as uncertain.
    LeftUncertain(Box<Started>),
    /// Nothing is to be done any more.
    AlreadyFinished,
    /// Not before this time.
    NotDue(DateTime<Utc>),
    /// Somebody tries it, and renews the claim before this time as long as he lives.
    InProgress(DateTime<Utc>),
}

/// Claims a submission for one attempt, if it may be tried now by the database's clock. `request` is the event that asks
/// for it.
///
/// # Errors
/// [`StoreError::NotFound`], or when the database refuses.
pub async fn begin_attempt(
    tx: &Tx,
    id: SubmissionId,
    request: EventId,
    holder: WorkerId,
    hold: Duration,
) -> Result<Begun, StoreError> {
    let row = find(tx.db(), id).await?;
    let now = tx.store().now(tx.db()).await?;
    match standing(&row, now) {
        Standing::Finished => return Ok(Begun::AlreadyFinished),
        Standing::Waits(at) => return Ok(Begun::NotDue(at)),
        Standing::Held(until) => return Ok(Begun::InProgress(until)),
        Standing::LeftUncertain => return left_uncertain(tx, row).await,
        Standing::Free => {}
    }
    let attempt = Attempt {
        submission_id: id,
        number: row.attempt + 1,
        holder,
    };
    let taken = unchanged(submission::Entity::update_many(), &row)
        .col_expr(submission::Column::State, Expr::value(SubmissionState::Sending))
        .col_expr(
            submission::Column::Phase,
            Expr::value(Phase::HandingOver.as_str()),
        )
        .col_expr(submission::Column::Holder, Expr::value(holder))
        .col_expr(submission::Column::HeldUntil, Expr::value(now + hold))
        .col_expr(submission::Column::Attempt, Expr::value(attempt.number))
        .col_expr(submission::Column::RequestEventId, Expr::value(request))
        .exec(tx.db())
        .await?;
    if taken.rows_affected != 1 {
        return Ok(Begun::InProgress(now + hold)); // somebody was quicker, a moment ago
    }
    if row.phase == Phase::HandingOver.as_str() {
        end_record(
            tx,
            &attempt_of(&row),
            Phase::HandingOver.as_str(),
            "orphaned",
            now,
        )
        .await?;
    }
    let record = send_attempt::ActiveModel {
        submission_id: Set(id),
        attempt: Set(attempt.number),
        holder: Set(holder),
        phase: Set(Phase::HandingOver.as_str().to_owned()),
        outcome: Set(None),
        started_at: Set(now),
        finished_at: Set(None),
    };
    send_attempt::Entity::insert(record)
        .exec_without_returning(tx.db())
        .await?;
    Ok(Begun::Started(started(tx, attempt, row).await?))
}

async fn left_uncertain(tx: &Tx, row: Submission) -> Result<Begun, StoreError> {
    let attempt = attempt_of(&row);
    Ok(Begun::LeftUncertain(started(tx, attempt, row).await?))
}

async fn started(tx: &Tx, attempt: Attempt, submission: Submission) -> Result<Box<Started>, StoreError> {
    Ok(Box::new(Started {
        attempt,
        recipients: recipients(tx.db(), submission.id).await?,
        submission,
    }))
}

/// The attempt that a row tells of. One without a holder was made by nobody.
fn attempt_of(row: &Submission) -> Attempt {
    Attempt {
        submission_id: row.id,
        number: row.attempt,
        holder: row.holder.unwrap_or(WorkerId(uuid::Uuid::nil())),
    }
}

/// Only if nobody has begun, marked or finished an attempt since the row was read.
fn unchanged(update: UpdateMany<submission::Entity>, row: &Submission) -> UpdateMany<submission::Entity> {
    let same_holder = match row.holder {
        Some(holder) => submission::Column::Holder.eq(holder),
        None => submission::Column::Holder.is_null(),
    };
    update
        .filter(submission::Column::Id.eq(row.id))
        .filter(submission::Column::Attempt.eq(row.attempt))
        .filter(submission::Column::Phase.eq(row.phase.clone()))
        .filter(submission::Column::FinishedAt.is_null())
        .filter(same_holder)
}

/// What became of a submission for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientResult {
    /// Number of the recipient, from 0.
    pub number: i32,
    /// Its state now.
    pub state: SubmissionState,
    /// SMTP reply code (RFC 5321, section 4.2), if the server gave one.
    pub smtp_code: Option<u16>,
    /// Enhanced status code (RFC 3463), if the server gave one.
    pub enhanced_code: Option<String>,
    /// The server's words, or a sentence where it said nothing.
    pub server_reply: Option<String>,
}

/// Writes down, before the final dot leaves, that it may have left, and who was refused before it: `sending` for those that
/// the server would take. Only while the claim lasts.
///
/// # Errors
/// [`StoreError::Outdated`] when the claim is lost: the dot may not leave.
pub async fn mark_uncertain(
    tx: &Tx,
    attempt: &Attempt,
    results: &[RecipientResult],
) -> Result<(), StoreError> {
    let now = tx.store().now(tx.db()).await?;
    let marked = submission::Entity::update_many()
        .col_expr(submission::Column::Phase, Expr::value(Phase::Uncertain.as_str()))
        .filter(submission::Column::Id.eq(attempt.submission_id))
        .filter(submission::Column::Attempt.eq(attempt.number))
        .filter(submission::Column::Holder.eq(attempt.holder))
        .filter(submission::Column::Phase.eq(Phase::HandingOver.as_str()))
        .filter(submission::Column::HeldUntil.gt(now))
        .exec(tx.db())
        .await?;
    if marked.rows_affected != 1 {
        return Err(StoreError::outdated("submission", attempt.submission_id));
    }
    write_recipients(tx, attempt.submission_id, results, now).await
}

pub(super) async fn end_record(
    tx: &Tx,
    attempt: &Attempt,
    phase: &str,
    outcome: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    send_attempt::Entity::update_many()
        .col_expr(send_attempt::Column::Phase, Expr::value(phase.to_owned()))
        .col_expr(send_attempt::Column::Outcome, Expr::value(outcome.to_owned()))
        .col_expr(send_attempt::Column::FinishedAt, Expr::value(now))
        .filter(send_attempt::Column::SubmissionId.eq(attempt.submission_id))
        .filter(send_attempt::Column::Attempt.eq(attempt.number))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// One statement for all recipients of whom the same is to be said.
pub(super) async fn write_recipients(
    tx: &Tx,
    id: SubmissionId,
    results: &[RecipientResult],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    use submission_recipient::Column;
    let mut alike: BTreeMap<_, (&RecipientResult, Vec<i32>)> = BTreeMap::new();
    for result in results {
        let key = (
            result.state,
            result.smtp_code,
            &result.enhanced_code,
            &result.server_reply,
        );
        let (_, numbers) = alike.entry(key).or_insert((result, Vec::new()));
        numbers.push(result.number);
    }
    for (result, numbers) in alike.into_values() {
        for chunk in numbers.chunks(CHUNK) {
            submission_recipient::Entity::update_many()
                .col_expr(Column::State, Expr::value(result.state))
                .col_expr(Column::SmtpCode, Expr::value(result.smtp_code.map(i32::from)))
                .col_expr(Column::EnhancedCode, Expr::value(result.enhanced_code.clone()))
                .col_expr(Column::ServerReply, Expr::value(result.server_reply.clone()))
                .col_expr(Column::UpdatedAt, Expr::value(now))
                .filter(Column::SubmissionId.eq(id))
                .filter(Column::Number.is_in(chunk.iter().copied()))
                .exec(tx.db())
                .await?;
        }
    }
    Ok(())
}
