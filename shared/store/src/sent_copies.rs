//! The copy of a sent mail in the Sent folder: what its account's holder found or did.

use postroom_events::{EventMetadata, MessageSent, RecipientOutcome, SubmissionId, SubmissionState};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};

use crate::{
    StoreError, Tx,
    entities::{submission, submission_recipient},
    events, sql, submissions,
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

/// Whether a server took the mail for anybody: then its copy belongs into Sent, whatever became of the others.
///
/// # Errors
/// When the database refuses.
pub async fn was_sent(db: &impl ConnectionTrait, id: SubmissionId) -> Result<bool, StoreError> {
    let taken = [SubmissionState::Sent, SubmissionState::Bounced];
    let found = submission_recipient::Entity::find()
        .filter(submission_recipient::Column::SubmissionId.eq(id))
        .filter(submission_recipient::Column::State.is_in(taken))
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// Settles a submission whose outcome was not known: its mail lies in Sent, so the server took it. Gives whether it
/// was changed; not when it has been settled already, nor where being there has another explanation.
///
/// Being in Sent tells that a mail of this Message-ID was taken at some attempt. That was the uncertain one, and concerns
/// those whose outcome it left open, if it can have been no other:
/// - An uncertain attempt is the last one of its submission, so another one can only be earlier. If an earlier one was
///   accepted, somebody got the mail by it. So nobody may have got it yet, and a look that was asked for by an earlier
///   attempt, after which somebody had, settles nothing.
/// - The mail is no other submission's: a raw message that is sent twice brings the same Message-ID twice.
///
/// # Errors
/// When the database refuses.
pub async fn settle_uncertain(
    tx: &Tx,
    metadata: &EventMetadata,
    id: SubmissionId,
) -> Result<bool, StoreError> {
    let now = tx.store().clock().now();
    let text = "update submissions set state = 'sent', cause = 'found_in_sent', finished_at = $1 \
                where id = $2 and state = 'uncertain' \
                and not exists (select 1 from submission_recipients r \
                where r.submission_id = submissions.id and r.state in ('sent', 'bounced')) \
                and not exists (select 1 from submissions other where other.account_id = submissions.account_id \
                and other.message_id_header = submissions.message_id_header and other.id <> submissions.id \
                and other.state <> 'failed')";
    let settled = tx
        .db()
        .execute_raw(sql::statement(tx.db(), text, [now.into(), id.into()]))
        .await?;
    if settled.rows_affected() != 1 {
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
    let event = message_sent(tx, id).await?;
    events::append(tx, metadata, vec![event.into()]).await?;
    Ok(true)
}

async fn message_sent(tx: &Tx, id: SubmissionId) -> Result<MessageSent, StoreError> {
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
    Ok(MessageSent {
        account_id: row.account_id,
        submission_id: id,
        attempt: row.attempt,
        recipients,
    })
}
