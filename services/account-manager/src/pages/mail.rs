//! `GET /accounts/{id}/messages`: a plain list, newest first.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use postroom_events::{FolderId, MessageId};
use postroom_store::{
    Account, Folder, Message, StoreError, folders, locations,
    messages::{self, MessageFilter},
};
use serde::Deserialize;

use super::{
    format::{Moment, moment},
    render::{self, Frame},
    session::Person,
};
use crate::{
    paging::{read_time_cursor, time_cursor},
    state::AppState,
};

const PAGE: u64 = 50;

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    frame: Frame,
    account_id: String,
    address: String,
    folders: Vec<FolderLink>,
    messages: Vec<Line>,
    older: Option<String>,
}

#[derive(Debug)]
struct FolderLink {
    href: String,
    name: String,
    here: bool,
}

#[derive(Debug)]
struct Line {
    id: String,
    from: String,
    subject: String,
    snippet: String,
    received: Moment,
    unread: bool,
    has_attachments: bool,
}

/// The query of the URL.
#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    folder: Option<String>,
    before: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Response {
    let account = match person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    match gather(&state, &person, account, query).await {
        Ok(page) => render::page(&state, StatusCode::OK, &page),
        Err(error) => render::store_error(&state, &person, error),
    }
}

async fn gather(
    state: &AppState,
    person: &Person,
    account: Account,
    query: ListQuery,
) -> Result<MessagesPage, StoreError> {
    let db = state.store().read();
    let known = folders::of_account(db, account.id).await?;
    // A folder that is not the account's own is no folder.
    let chosen = query
        .folder
        .as_deref()
        .and_then(|folder| folder.parse::<FolderId>().ok());
    let folder = known.iter().find(|folder| Some(folder.id) == chosen);
    let filter = MessageFilter {
        account_id: account.id,
        folder_id: folder.map(|folder| folder.id),
        before: query
            .before
            .as_deref()
            .and_then(|before| read_time_cursor(before, "before").ok()),
        limit: PAGE,
    };
    let rows = messages::list(db, &filter).await?;
    let unread = unread(state, &rows).await?;
    let base = format!("/accounts/{}/messages", account.id);
    let here = filter.folder_id;
    let older = rows.last().filter(|_| rows.len() as u64 == PAGE).map(|last| {
        let folder = here.map(|id| format!("&folder={id}")).unwrap_or_default();
        format!(
            "{base}?before={}{folder}",
            time_cursor(last.received_at, last.id.0)
        )
    });
    Ok(MessagesPage {
        frame: Frame::of(person, format!("Messages of {}", account.address)),
        account_id: account.id.to_string(),
        address: account.address,
        folders: known
            .iter()
            .filter(|folder| folder.selectable)
            .map(|folder| link(&base, folder, here))
            .collect(),
        messages: rows.into_iter().map(|row| line(state, row, &unread)).collect(),
        older,
    })
}

async fn unread(state: &AppState, rows: &[Message]) -> Result<HashMap<MessageId, bool>, StoreError> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut unread = HashMap::new();
    for location in locations::of_messages(state.store().read(), &ids).await? {
        let seen = locations::split_flags(&location.flags)
            .iter()
            .any(|flag| flag.eq_ignore_ascii_case("\\Seen"));
        let entry = unread.entry(location.message_id).or_insert(true);
        *entry &= !seen;
    }
    Ok(unread)
}

fn link(base: &str, folder: &Folder, here: Option<FolderId>) -> FolderLink {
    FolderLink {
        href: format!("{base}?folder={}", folder.id),
        name: folder.name.clone(),
        here: here == Some(folder.id),
    }
}

fn line(state: &AppState, row: Message, unread: &HashMap<MessageId, bool>) -> Line {
    let from = if row.from_name.is_empty() {
        row.from_address
    } else {
        row.from_name
    };
    Line {
        unread: unread.get(&row.id).copied().unwrap_or(false),
        id: row.id.to_string(),
        from,
        subject: if row.subject.is_empty() {
            "(no subject)".to_owned()
        } else {
            row.subject
        },
        snippet: row.snippet,
        received: moment(row.received_at, state.store().clock().now()),
        has_attachments: row.has_attachments,
    }
}
