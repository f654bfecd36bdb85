//! `GET /v1/submissions/{id}`: what became of a mail, for each recipient.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use postroom_events::{AccountId, SubmissionId, SubmissionState};
use postroom_store::{Submission, SubmissionRecipient, submissions};
use serde::Serialize;

use crate::{
    http::{
        extract::{ApiId, ApiTenant},
        problem::Problem,
    },
    state::AppState,
};

/// A submission as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct SubmissionView {
    id: SubmissionId,
    account_id: AccountId,
    message_id: String,
    subject: String,
    state: SubmissionState,
    cause: Option<String>,
    server_reply: Option<String>,
    attempts: i32,
    next_attempt_at: Option<DateTime<Utc>>,
    give_up_at: DateTime<Utc>,
    sent_copy: String,
    size: i64,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    recipients: Vec<RecipientView>,
}

#[derive(Debug, Serialize)]
struct RecipientView {
    address: String,
    state: SubmissionState,
    smtp_code: Option<i32>,
    enhanced_code: Option<String>,
    server_reply: Option<String>,
}

impl From<SubmissionRecipient> for RecipientView {
    fn from(row: SubmissionRecipient) -> Self {
        Self {
            address: row.address,
            state: row.state,
            smtp_code: row.smtp_code,
            enhanced_code: row.enhanced_code,
            server_reply: row.server_reply,
        }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<SubmissionId>,
) -> Result<Json<SubmissionView>, Problem> {
    let db = state.store().read();
    let row = submissions::find_owned(db, tenant.0, id).await?;
    let recipients = submissions::recipients(db, row.id).await?;
    Ok(Json(view(row, recipients)))
}

fn view(row: Submission, recipients: Vec<SubmissionRecipient>) -> SubmissionView {
    SubmissionView {
        id: row.id,
        account_id: row.account_id,
        message_id: row.message_id_header,
        subject: row.subject,
        state: row.state,
        cause: row.cause,
        server_reply: row.server_reply,
        attempts: row.attempt,
        next_attempt_at: row.next_attempt_at,
        give_up_at: row.give_up_at,
        sent_copy: row.sent_copy,
        size: row.size,
        created_at: row.created_at,
        finished_at: row.finished_at,
        recipients: recipients.into_iter().map(RecipientView::from).collect(),
    }
}
