//! The end of an attempt, written down together with whatever follows from it.

use chrono::{DateTime, Utc};
use postroom_events::{SubmissionState, WorkerId};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{
    Attempt, Phase, RecipientResult,
    attempt::{end_record, write_recipients},
    find,
};
use crate::{
    StoreError, Tx,
    entities::{send_attempt, submission},
};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The submission's state now.
    pub state: SubmissionState,
    /// Stable snake_case code of the cause, if there is one.
    pub cause: Option<String>,
    /// The server's words, or a sentence where it said nothing.
    pub server_reply: Option<String>,
    /// When it is tried again. `None`: nothing more is tried.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The attempt in one word, for its record.
    pub outcome: &'static str,
    /// What became of it, for those whom the attempt concerned.
    pub recipients: Vec<RecipientResult>,
}

/// Whether the end of an attempt was written down now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was.
    Now,
    /// It had been: the answer to that commit got lost.
    Before,
}

/// Writes down how an attempt ended, and gives its claim back. May be called again when the answer to a commit got lost.
/// Whoever was taken for dead between the final dot and its answer may still say what the answer was, as long as nobody
/// has decided anything on the uncertainty.
///
/// # Errors
/// [`StoreError::Outdated`] when the submission has moved past this attempt.
pub async fn finish_attempt(tx: &Tx, attempt: &Attempt, ending: &Ending) -> Result<Written, StoreError> {
    let row = find(tx.db(), attempt.submission_id).await?;
    let outdated = || StoreError::outdated("submission", attempt.submission_id);
    if row.attempt != attempt.number {
        return Err(outdated());
    }
    let now = tx.store().now(tx.db()).await?;
    let done = ending.next_attempt_at.is_none();
    let ours = row.holder == Some(attempt.holder);
    if !ours {
        if written_before(tx, attempt, ending.outcome).await? {
            return Ok(Written::Before);
        }
        let taken_for_dead = row.finished_at.is_some() && row.state == SubmissionState::Uncertain;
        let tells_more = done && ending.state != SubmissionState::Uncertain;
        if !taken_for_dead || !tells_more {
            return Err(outdated());
        }
    }
    let mut update = submission::Entity::update_many()
        .filter(submission::Column::Id.eq(row.id))
        .filter(submission::Column::Attempt.eq(row.attempt))
        .filter(submission::Column::State.eq(row.state))
        .filter(submission::Column::Phase.eq(row.phase.clone()));
    if ours {
        update = update.filter(submission::Column::Holder.eq(attempt.holder));
    }
    let phase = if done { Phase::Done } else { Phase::Waiting };
    let written = update
        .col_expr(submission::Column::State, Expr::value(ending.state))
        .col_expr(submission::Column::Cause, Expr::value(ending.cause.clone()))
        .col_expr(
            submission::Column::ServerReply,
            Expr::value(ending.server_reply.clone()),
        )
        .col_expr(submission::Column::Phase, Expr::value(phase.as_str()))
        .col_expr(submission::Column::Holder, Expr::value(None::<WorkerId>))
        .col_expr(submission::Column::HeldUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(
            submission::Column::NextAttemptAt,
            Expr::value(ending.next_attempt_at),
        )
        .col_expr(submission::Column::FinishedAt, Expr::value(done.then_some(now)))
        .exec(tx.db())
        .await?;
    if written.rows_affected != 1 {
        return Err(outdated());
    }
    end_record(tx, attempt, &row.phase, ending.outcome, now).await?;
    write_recipients(tx, row.id, &ending.recipients, now).await?;
    Ok(Written::Now)
}

async fn written_before(tx: &Tx, attempt: &Attempt, outcome: &str) -> Result<bool, StoreError> {
    let record = send_attempt::Entity::find_by_id((attempt.submission_id, attempt.number))
        .one(tx.db())
        .await?;
    Ok(record
        .is_some_and(|record| record.holder == attempt.holder && record.outcome.as_deref() == Some(outcome)))
}
