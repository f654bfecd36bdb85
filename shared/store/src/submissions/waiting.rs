//! Submissions that wait: why and until when, and what ends the wait early.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, Consumer, EventId, SubmissionId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Value, sea_query::Expr};

use super::Phase;
use crate::{StoreError, Tx, entities::submission, retries, sql};

/// Why a submission waits, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Not before this time.
    pub until: DateTime<Utc>,
    /// Stable snake_case code of the cause.
    pub cause: String,
    /// The cause in words, where there are words of its own: the server's, or a sentence.
    pub words: Option<String>,
}

/// Notes why a submission that nobody tries at the moment waits, and until when. It is no attempt. `request` is the event
/// that asks for it, and that comes again.
///
/// # Errors
/// When the database refuses.
pub async fn put_off(
    tx: &Tx,
    id: SubmissionId,
    request: EventId,
    waiting: &Waiting,
) -> Result<(), StoreError> {
    submission::Entity::update_many()
        .col_expr(submission::Column::NextAttemptAt, Expr::value(waiting.until))
        .col_expr(submission::Column::Cause, Expr::value(waiting.cause.clone()))
        .col_expr(
            submission::Column::ServerReply,
            Expr::value(waiting.words.clone()),
        )
        .col_expr(submission::Column::RequestEventId, Expr::value(request))
        .filter(submission::Column::Id.eq(id))
        .filter(submission::Column::Phase.eq(Phase::Waiting.as_str()))
        .filter(submission::Column::FinishedAt.is_null())
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Ends the wait of an account's submissions: of those that wait for one of these causes, or of all. They are due now,
/// and so is the retry of the event that asks for each. Gives how many.
///
/// # Errors
/// When the database refuses.
pub async fn bring_forward(
    tx: &Tx,
    account_id: AccountId,
    causes: Option<&[&str]>,
) -> Result<usize, StoreError> {
    let now = tx.store().now(tx.db()).await?;
    let causes = causes.unwrap_or_default();
    let only = match causes.len() {
        0 => String::new(),
        count => format!(" and cause in ({})", sql::list(4, count)),
    };
    let text = format!(
        "update submissions set next_attempt_at = $1 where account_id = $2 and finished_at is null and phase = $3 \
         and next_attempt_at > $1{only} returning request_event_id"
    );
    let values = [
        Value::from(now),
        account_id.into(),
        Phase::Waiting.as_str().into(),
    ]
    .into_iter()
    .chain(causes.iter().map(|cause| Value::from(*cause)));
    let rows = tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        events.extend(row.try_get::<Option<EventId>>("", "request_event_id")?);
    }
    retries::bring_forward(tx, Consumer::SmtpSender, &events, now).await?;
    Ok(rows.len())
}
