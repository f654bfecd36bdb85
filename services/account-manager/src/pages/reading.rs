//! `GET /messages/{id}`: one message, safely. Its HTML is sanitised and shown in a sandboxed frame that inherits the
//! page's policy: no script runs and nothing is loaded from elsewhere.

use ammonia::Builder;
use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use postroom_events::{AccountId, MessageId};
use postroom_mail::mime::{ParsedMessage, attachment as take_attachment, parse_full};
use postroom_store::{Message, StoreError, messages};

use super::{
    format::{Moment, moment, size},
    message_list::subject,
    render::{self, Frame},
    session::Person,
};
use crate::{http::problem::Problem, state::AppState};

/// A message alone on its page.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    reading: Reading,
}

/// A message that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) id: String,
    /// The list that it was opened from.
    pub(super) back: String,
    /// Whether that list stands beside it.
    pub(super) beside: bool,
    pub(super) subject: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) received: Moment,
    pub(super) text: String,
    /// Sanitised, for the sandboxed frame.
    pub(super) html: Option<String>,
    pub(super) attachments: Vec<AttachmentLine>,
    pub(super) understood: bool,
}

impl Reading {
    /// The same beside its list.
    pub(super) fn beside(self, back: String) -> Self {
        Self {
            back,
            beside: true,
            ..self
        }
    }
}

/// An attachment's line.
#[derive(Debug)]
pub(super) struct AttachmentLine {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) size: String,
}

async fn own_message(state: &AppState, person: &Person, id: &str) -> Result<Message, Response> {
    let id: MessageId = id
        .parse()
        .map_err(|_| render::missing(state, person, "message"))?;
    let session = person.session();
    let user_ref = Some(session.user_ref.as_str());
    messages::find_owned(state.store().read(), session.tenant_id, user_ref, id)
        .await
        .map_err(|error| render::store_error(state, person, error))
}

pub(super) async fn show(State(state): State<AppState>, person: Person, Path(id): Path<String>) -> Response {
    let reading = match own_message(&state, &person, &id).await {
        Ok(row) => read_row(&state, &person, row).await,
        Err(response) => Err(response),
    };
    match reading {
        Ok(reading) => {
            let page = MessagePage {
                frame: Frame::of(&person, reading.subject.clone()),
                reading,
            };
            render::page(&state, StatusCode::OK, &page)
        }
        Err(response) => response,
    }
}

/// A message of that account, to be shown beside its list.
pub(super) async fn of_account(
    state: &AppState,
    person: &Person,
    id: &str,
    account_id: AccountId,
) -> Result<Reading, Response> {
    let row = own_message(state, person, id).await?;
    if row.account_id != account_id {
        return Err(render::missing(state, person, "message"));
    }
    read_row(state, person, row).await
}

async fn read_row(state: &AppState, person: &Person, row: Message) -> Result<Reading, Response> {
    match read(state, &row).await {
        Ok((parsed, html)) => Ok(reading_of(state, row, parsed, html)),
        Err(error) => Err(render::store_error(state, person, error)),
    }
}

/// The message taken apart and its HTML sanitised, off the threads that serve others.
async fn read(
    state: &AppState,
    row: &Message,
) -> Result<(Option<ParsedMessage>, Option<String>), StoreError> {
    let raw = state.packs().read(row).await?;
    let work = tokio::task::spawn_blocking(move || {
        let parsed = parse_full(&raw).ok();
        let html = parsed
            .as_ref()
            .and_then(|parsed| parsed.html.as_deref())
            .map(sanitised);
        (parsed, html)
    });
    Ok(work.await.unwrap_or_else(|error| {
        tracing::error!(message.id = %row.id, %error, "Parsing a message panicked");
        (None, None)
    }))
}

/// No script, no form, no style, no image from elsewhere; links open in a tab of their own and tell nobody where from.
fn sanitised(html: &str) -> String {
    Builder::default()
        .rm_tags(["img", "map", "area"])
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .clean(html)
        .to_string()
}

fn reading_of(
    state: &AppState,
    row: Message,
    parsed: Option<ParsedMessage>,
    html: Option<String>,
) -> Reading {
    let recipients = row.all_recipients().unwrap_or_default();
    let to: Vec<_> = recipients.to.iter().map(|to| to.address.as_str()).collect();
    let from = match row.from_name.as_str() {
        "" => row.from_address.clone(),
        name => format!("{name} <{}>", row.from_address),
    };
    let understood = parsed.is_some();
    let (text, attachments) =
        parsed.map_or_else(Default::default, |parsed| (parsed.text, parsed.attachments));
    Reading {
        id: row.id.to_string(),
        back: format!("/accounts/{}/messages", row.account_id),
        beside: false,
        subject: subject(row.subject),
        from,
        to: to.join(", "),
        received: moment(row.received_at, state.store().clock().now()),
        text,
        html,
        attachments: attachments
            .into_iter()
            .enumerate()
            .map(|(number, info)| AttachmentLine {
                number,
                name: info.name.unwrap_or_else(|| info.content_type.clone()),
                size: size(info.size),
            })
            .collect(),
        understood,
    }
}

/// `GET /messages/{id}/attachments/{number}`
pub(super) async fn attachment(
    State(state): State<AppState>,
    person: Person,
    Path((id, number)): Path<(String, usize)>,
) -> Response {
    let row = match own_message(&state, &person, &id).await {
        Ok(row) => row,
        Err(response) => return response,
    };
    let raw = match state.packs().read(&row).await {
        Ok(raw) => raw,
        Err(error) => return render::store_error(&state, &person, error),
    };
    let taken = tokio::task::spawn_blocking(move || {
        take_attachment(&raw, number)
            .ok()
            .flatten()
            .map(|found| (found.info, found.content.into_owned()))
    });
    match taken.await {
        Ok(Some((info, content))) => crate::download::answer(&info, content),
        Ok(None) => render::missing(&state, &person, "attachment"),
        Err(_) => render::problem(&state, Some(&person), &Problem::internal()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_active_and_nothing_remote_survives() {
        let clean = sanitised(
            "<p onclick=x()>Hi <a href='https://x.example' onmouseover=y>there</a></p><script>z()</script>\
             <img src='https://track.example/p.gif'><form action=/x><input></form><style>p{}</style>\
             <iframe src=//x></iframe><a href='javascript:alert(1)'>no</a><svg onload=q></svg>",
        );
        for bad in [
            "onclick",
            "onmouseover",
            "script",
            "img",
            "form",
            "style",
            "iframe",
            "svg",
            "track",
        ] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        assert!(
            clean.contains("target=\"_blank\"") && clean.contains("noopener noreferrer"),
            "{clean}"
        );
    }
}
