//! `GET /accounts/{id}/messages`: the inbox. Folders, a list with a search box, and beside it what is being read.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use postroom_events::FolderId;
use postroom_store::{
    Account, Folder, StoreError, accounts, folders,
    folders::FolderRole,
    locations,
    messages::{self, MessageFilter, SEARCHED_AT_MOST},
};
use serde::Deserialize;
use url::form_urlencoded;

use super::{
    folder_list::{FolderLine, in_order},
    message_list::{Line, lines},
    reading::{self, Reading},
    render::{self, Frame, Link},
    session::Person,
};
use crate::{
    paging::{read_time_cursor, time_cursor},
    state::AppState,
};

const PAGE: u64 = 50;
/// Nobody searches for more, in characters.
const MAX_SEARCH: usize = 200;
/// Of more accounts the first ones are offered.
const MOST_ACCOUNTS: u64 = 50;
/// The value of `folder` that means every folder.
const EVERY: &str = "all";

#[derive(Template)]
#[template(path = "messages.html")]
struct InboxPage {
    frame: Frame,
    account_id: String,
    address: String,
    /// The person's other accounts.
    others: Vec<Link>,
    folders: Vec<FolderLink>,
    everywhere: FolderLink,
    /// The value of the field `folder`.
    folder: String,
    heading: String,
    searched: String,
    searched_at_most: u64,
    /// The list without the search.
    unsearched: String,
    messages: Vec<Line>,
    older: Option<String>,
    newest: Option<String>,
    reading: Option<Reading>,
}

#[derive(Debug)]
struct FolderLink {
    href: String,
    line: FolderLine,
    unread: i64,
    total: i64,
    here: bool,
    synced: bool,
}

/// The query of the URL.
#[derive(Debug, Default, Deserialize)]
pub(super) struct InboxQuery {
    folder: Option<String>,
    before: Option<String>,
    q: Option<String>,
    open: Option<String>,
}

/// Where somebody is in an account's mail.
#[derive(Debug, Clone, Default)]
struct Place {
    base: String,
    /// The value of `folder`.
    folder: String,
    searched: String,
    before: Option<String>,
}

impl Place {
    fn url(&self, open: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("folder", &self.folder);
        if !self.searched.is_empty() {
            query.append_pair("q", &self.searched);
        }
        if let Some(before) = &self.before {
            query.append_pair("before", before);
        }
        if let Some(open) = open {
            query.append_pair("open", open);
        }
        format!("{}?{}", self.base, query.finish())
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<InboxQuery>,
) -> Response {
    let account = match person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let reading = match query.open.as_deref() {
        Some(open) => match reading::of_account(&state, &person, open, account.id).await {
            Ok(reading) => Some(reading),
            Err(response) => return response,
        },
        None => None,
    };
    match gather(&state, &person, account, query, reading).await {
        Ok(page) => render::page(&state, StatusCode::OK, &page),
        Err(error) => render::store_error(&state, &person, error),
    }
}

async fn gather(
    state: &AppState,
    person: &Person,
    account: Account,
    query: InboxQuery,
    reading: Option<Reading>,
) -> Result<InboxPage, StoreError> {
    let db = state.store().read();
    let known = folders::of_account(db, account.id).await?;
    let unread = locations::unread(db, account.id).await?;
    let here = chosen(&known, query.folder.as_deref());
    let place = place(&account, here, &query);
    let filter = MessageFilter {
        account_id: account.id,
        folder_id: here.map(|folder| folder.id),
        before: place
            .before
            .as_deref()
            .and_then(|before| read_time_cursor(before, "before").ok()),
        limit: PAGE,
    };
    let rows = if place.searched.is_empty() {
        messages::list(db, &filter).await?
    } else {
        messages::search(db, &filter, &place.searched).await?
    };
    let older = rows.last().filter(|_| rows.len() as u64 == PAGE).map(|last| {
        let before = Some(time_cursor(last.received_at, last.id.0));
        Place {
            before,
            ..place.clone()
        }
        .url(None)
    });
    let newest = Place {
        before: None,
        ..place.clone()
    };
    let messages = lines(state, rows, |id| place.url(Some(id))).await?;
    let folders: Vec<_> = in_order(&known)
        .into_iter()
        .map(|(line, folder)| FolderLink {
            href: of_folder(&place, &folder.id.to_string()).url(None),
            unread: unread.get(&folder.id).copied().unwrap_or(0),
            total: folder.messages_on_server,
            here: here.is_some_and(|here| here.id == folder.id),
            synced: folder.synced,
            line,
        })
        .collect();
    let heading = folders
        .iter()
        .find(|folder| folder.here)
        .map_or_else(|| "All folders".to_owned(), |folder| folder.line.name.clone());
    let title = match &reading {
        Some(reading) => reading.subject.clone(),
        None => format!("{heading} – {}", account.address),
    };
    Ok(InboxPage {
        frame: Frame::of(person, title),
        account_id: account.id.to_string(),
        others: others(state, person, &account).await?,
        address: account.address,
        everywhere: everywhere(&place, here.is_none()),
        folders,
        folder: place.folder.clone(),
        heading,
        searched_at_most: SEARCHED_AT_MOST,
        unsearched: of_folder(&place, &place.folder).url(None),
        newest: place.before.is_some().then(|| newest.url(None)),
        reading: reading.map(|reading| reading.beside(place.url(None))),
        searched: place.searched,
        messages,
        older,
    })
}

/// The folder that was asked for; INBOX when none was. One that is not the account's own is no folder.
fn chosen<'f>(known: &'f [Folder], asked: Option<&str>) -> Option<&'f Folder> {
    match asked {
        None => known
            .iter()
            .find(|folder| folder.known_role() == Some(FolderRole::Inbox)),
        Some(asked) => {
            let id = asked.parse::<FolderId>().ok()?;
            known.iter().find(|folder| folder.id == id)
        }
    }
}

fn place(account: &Account, here: Option<&Folder>, query: &InboxQuery) -> Place {
    let searched = query.q.as_deref().unwrap_or_default();
    let printable = searched.chars().filter(|c| !c.is_control());
    Place {
        base: format!("/accounts/{}/messages", account.id),
        folder: here.map_or_else(|| EVERY.to_owned(), |folder| folder.id.to_string()),
        searched: printable.take(MAX_SEARCH).collect::<String>().trim().to_owned(),
        before: query.before.clone(),
    }
}

/// The newest mail of a folder.
fn of_folder(place: &Place, folder: &str) -> Place {
    Place {
        base: place.base.clone(),
        folder: folder.to_owned(),
        ..Place::default()
    }
}

fn everywhere(place: &Place, here: bool) -> FolderLink {
    FolderLink {
        href: of_folder(place, EVERY).url(None),
        line: FolderLine {
            id: FolderId(uuid::Uuid::nil()),
            name: "All folders".to_owned(),
            path: "All folders".to_owned(),
            depth: 0,
        },
        unread: 0,
        total: 0,
        here,
        synced: true,
    }
}

async fn others(state: &AppState, person: &Person, account: &Account) -> Result<Vec<Link>, StoreError> {
    let session = person.session();
    let (db, user_ref) = (state.store().read(), Some(session.user_ref.as_str()));
    let all = accounts::list_owned(db, session.tenant_id, user_ref, None, MOST_ACCOUNTS).await?;
    let link = |other: Account| Link {
        href: format!("/accounts/{}/messages", other.id),
        words: other.address,
    };
    Ok(all
        .into_iter()
        .filter(|other| other.id != account.id)
        .map(link)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_url() {
        let place = Place {
            base: "/a".into(),
            folder: "all".into(),
            searched: "R&D 100% ü".into(),
            before: None,
        };
        let url = place.url(Some("x"));
        assert_eq!(url, "/a?folder=all&q=R%26D+100%25+%C3%BC&open=x");
    }
}
