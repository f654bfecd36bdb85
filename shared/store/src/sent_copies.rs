//! The copy of a sent mail in the Sent folder: what its account's holder found or did.

use postroom_events::{EventMetadata, MessageSent, RecipientOutcome, SubmissionId, SubmissionState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use crate::{
    StoreError, Tx,
    entities::{submission, submission_recipient},
    events, submissions,
};

/// What is known of the copy in Sent: the column `sent_copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentCopyState {
    /// Nobody has looked yet.
    Pending,
    /// It is there; the server, or another look, had put it there.
    Present,
    /// It was put there by us.
    Appended,
    /// It is not there, and was not put there.
    Missing,
    /// The server keeps it by itself, as the provider data say; nobody has looked.
    ByServer,
}

impl SentCopyState {
    /// Its name as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Present => "present",
            Self::Appended => "appended",
            Self::Missing => "missing",
            Self::ByServer => "by_server",
        }
    }
}

/// Notes what is known of the copy.
///
/// # Errors
/// When the database refuses.
pub async fn note(tx: &Tx, id: SubmissionId, state: SentCopyState) -> Result<(), StoreError> {
    submission::Entity::update_many()
        .col_expr(submission::Column::SentCopy, Expr::value(state.as_str()))
        .filter(submission::Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Settles a submission whose outcome was not known: its mail lies in Sent, so the server took it. Gives whether it
/// was changed; not when it has been settled already.
///
/// # Errors
/// When the database refuses.
pub async fn settle_uncertain(
    tx: &Tx,
    metadata: &EventMetadata,
    id: SubmissionId,
) -> Result<bool, StoreError> {
    let now = tx.store().clock().now();
    let settled = submission::Entity::update_many()
        .col_expr(submission::Column::State, Expr::value(SubmissionState::Sent))
        .col_expr(submission::Column::Cause, Expr::value("found_in_sent"))
        .col_expr(submission::Column::FinishedAt, Expr::value(now))
        .filter(submission::Column::Id.eq(id))
        .filter(submission::Column::State.eq(SubmissionState::Uncertain))
        .exec(tx.db())
        .await?;
    if settled.rows_affected != 1 {
        return Ok(false);
    }
    submission_recipient::Entity::update_many()
        .col_expr(
            submission_recipient::Column::State,
            Expr::value(SubmissionState::Sent),
        )
        .col_expr(submission_recipient::Column::UpdatedAt, Expr::value(now))
        .filter(submission_recipient::Column::SubmissionId.eq(id))
        .filter(submission_recipient::Column::State.eq(SubmissionState::Uncertain))
        .exec(tx.db())
        .await?;
    let row = submissions::find(tx.db(), id).await?;
    let recipients = submissions::recipients(tx.db(), id)
        .await?
        .into_iter()
        .map(|row| RecipientOutcome {
            recipient: row.number,
            state: row.state,
            smtp_code: row.smtp_code.and_then(|code| u16::try_from(code).ok()),
            enhanced_code: row.enhanced_code,
        })
        .collect();
    let event = MessageSent {
        account_id: row.account_id,
        submission_id: id,
        attempt: row.attempt,
        recipients,
    };
    events::append(tx, metadata, vec![event.into()]).await?;
    Ok(true)
}
