//! Messages: list, read parsed, read raw.

use std::collections::HashMap;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId, MessageId};
use postroom_mail::mime::{AttachmentInfo, MailAddress, MessageHeaders, parse_full};
use postroom_store::{
    Location, Message, StoreError, accounts, folders, locations,
    messages::{self, MessageFilter, Recipients},
};
use serde::{Deserialize, Serialize};

use crate::paging::{Page, limit, page, read_time_cursor, time_cursor};
use crate::{
    http::{
        extract::{ApiId, ApiQuery, ApiTenant, parse_id},
        problem::Problem,
    },
    state::AppState,
};

/// A message in a list.
#[derive(Debug, Serialize)]
pub(super) struct MessageSummary {
    id: MessageId,
    account_id: AccountId,
    message_id: Option<String>,
    in_reply_to: Option<String>,
    subject: String,
    from: Sender,
    recipients: Recipients,
    sent_at: Option<DateTime<Utc>>,
    received_at: DateTime<Utc>,
    size: i64,
    snippet: String,
    has_attachments: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine_cause: Option<String>,
    locations: Vec<LocationView>,
}

#[derive(Debug, Serialize)]
struct Sender {
    name: String,
    address: String,
}

/// Where a message lies, and its flags there.
#[derive(Debug, Serialize)]
struct LocationView {
    folder_id: FolderId,
    uid: i64,
    flags: Vec<String>,
}

/// A message to read.
#[derive(Debug, Serialize)]
pub(super) struct MessageView {
    #[serde(flatten)]
    summary: MessageSummary,
    /// Absent where the message could not be understood; its raw source is there all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentView>,
}

#[derive(Debug, Serialize)]
struct ContentView {
    headers: HeadersView,
    text: String,
    /// As the sender wrote it, **not sanitised**.
    html: Option<String>,
    attachments: Vec<AttachmentInfo>,
}

#[derive(Debug, Serialize)]
struct HeadersView {
    message_id: Option<String>,
    in_reply_to: Option<String>,
    references: Vec<String>,
    subject: String,
    from: Vec<MailAddress>,
    sender: Option<MailAddress>,
    to: Vec<MailAddress>,
    cc: Vec<MailAddress>,
    bcc: Vec<MailAddress>,
    reply_to: Vec<MailAddress>,
    date: Option<DateTime<Utc>>,
}

impl From<MessageHeaders> for HeadersView {
    fn from(headers: MessageHeaders) -> Self {
        Self {
            message_id: headers.message_id,
            in_reply_to: headers.in_reply_to,
            references: headers.references,
            subject: headers.subject,
            from: headers.from,
            sender: headers.sender,
            to: headers.to,
            cc: headers.cc,
            bcc: headers.bcc,
            reply_to: headers.reply_to,
            date: headers.date,
        }
    }
}

/// The query of the URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    folder: Option<String>,
    before: Option<String>,
    limit: Option<u64>,
}

/// `GET /v1/accounts/{id}/messages`
pub(super) async fn list(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<AccountId>,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<MessageSummary>>, Problem> {
    let db = state.store().read();
    let account = accounts::find_owned(db, tenant.0, None, id).await?;
    let folder_id = match query.folder.as_deref() {
        None => None,
        Some(folder) => {
            let folder = folders::find_owned(db, tenant.0, parse_id(folder, "folder")?).await?;
            if folder.account_id != account.id {
                return Err(StoreError::not_found("folder", folder.id).into());
            }
            Some(folder.id)
        }
    };
    let filter = MessageFilter {
        account_id: account.id,
        folder_id,
        before: query
            .before
            .as_deref()
            .map(|before| read_time_cursor(before, "before"))
            .transpose()?,
        limit: limit(query.limit),
    };
    let rows = messages::list(db, &filter).await?;
    let mut places = places_of(&state, &rows).await?;
    let cursor = |row: &Message| time_cursor(row.received_at, row.id.0);
    Ok(Json(page(rows, filter.limit, cursor, |row| {
        let here = places.remove(&row.id).unwrap_or_default();
        summary(row, here)
    })))
}

/// `GET /v1/messages/{id}`
pub(super) async fn show(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<MessageId>,
) -> Result<Json<MessageView>, Problem> {
    let row = messages::find_owned(state.store().read(), tenant.0, None, id).await?;
    let raw = state.packs().read(&row).await?;
    // A large message takes a while; others are not to wait for it.
    let parsed = tokio::task::spawn_blocking(move || parse_full(&raw)).await;
    let content = parsed
        .map_err(|error| {
            tracing::error!(message.id = %id, %error, "Parsing a message panicked");
            Problem::internal()
        })?
        .ok()
        .map(|parsed| ContentView {
            headers: parsed.headers.into(),
            text: parsed.text,
            html: parsed.html,
            attachments: parsed.attachments,
        });
    let here = places_of(&state, std::slice::from_ref(&row)).await?;
    let here = here.into_values().next().unwrap_or_default();
    Ok(Json(MessageView {
        summary: summary(row, here),
        content,
    }))
}

/// `GET /v1/messages/{id}/raw`: the bytes as the server gave them.
pub(super) async fn raw(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<MessageId>,
) -> Result<Response, Problem> {
    let row = messages::find_owned(state.store().read(), tenant.0, None, id).await?;
    let raw = state.packs().read(&row).await?;
    let headers = [
        (header::CONTENT_TYPE, "message/rfc822"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"message.eml\"",
        ),
    ];
    Ok((headers, raw).into_response())
}

async fn places_of(
    state: &AppState,
    rows: &[Message],
) -> Result<HashMap<MessageId, Vec<Location>>, StoreError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut places: HashMap<MessageId, Vec<Location>> = HashMap::new();
    for location in locations::of_messages(state.store().read(), &ids).await? {
        places.entry(location.message_id).or_default().push(location);
    }
    Ok(places)
}

fn summary(row: Message, here: Vec<Location>) -> MessageSummary {
    MessageSummary {
        recipients: row.all_recipients().unwrap_or_default(),
        id: row.id,
        account_id: row.account_id,
        message_id: row.message_id_header,
        in_reply_to: row.in_reply_to,
        subject: row.subject,
        from: Sender {
            name: row.from_name,
            address: row.from_address,
        },
        sent_at: row.sent_at,
        received_at: row.received_at,
        size: row.size,
        snippet: row.snippet,
        has_attachments: row.has_attachments,
        quarantine_cause: row.quarantine_cause,
        locations: here
            .into_iter()
            .map(|location| LocationView {
                folder_id: location.folder_id,
                uid: location.uid,
                flags: locations::split_flags(&location.flags),
            })
            .collect(),
    }
}
