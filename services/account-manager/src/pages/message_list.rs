//! The lines of a list of messages.

use std::collections::HashMap;

use postroom_events::MessageId;
use postroom_store::{Message, StoreError, locations};

use super::format::{Moment, brief};
use crate::state::AppState;

/// A message in the list.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) href: String,
    pub(super) from: String,
    pub(super) subject: String,
    pub(super) snippet: String,
    pub(super) received: Moment,
    pub(super) unread: bool,
    pub(super) has_attachments: bool,
}

/// The lines of these messages; `href` says where each leads.
pub(super) async fn lines(
    state: &AppState,
    rows: Vec<Message>,
    href: impl Fn(&str) -> String,
) -> Result<Vec<Line>, StoreError> {
    let unread = unread(state, &rows).await?;
    let now = state.store().clock().now();
    let line = |row: Message| {
        let id = row.id.to_string();
        Line {
            unread: unread.get(&row.id).copied().unwrap_or(false),
            href: href(&id),
            id,
            from: if row.from_name.is_empty() {
                row.from_address
            } else {
                row.from_name
            },
            subject: subject(row.subject),
            snippet: row.snippet,
            received: brief(row.received_at, now),
            has_attachments: row.has_attachments,
        }
    };
    Ok(rows.into_iter().map(line).collect())
}

/// A subject as shown.
pub(super) fn subject(subject: String) -> String {
    if subject.is_empty() {
        "(no subject)".to_owned()
    } else {
        subject
    }
}

/// A message is read once it is anywhere.
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
