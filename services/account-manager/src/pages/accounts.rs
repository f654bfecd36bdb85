//! *Email accounts*: the list with states.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use postroom_events::{AccountState, WhoCanAct};
use postroom_store::accounts as rows;

use super::{
    format::{Moment, moment},
    render::{self, Frame, Link},
    session::Person,
};
use crate::{
    accounts::{self, AccountView, NextStep, ways_to_say},
    state::AppState,
};

/// Nobody has so many mailboxes; who does sees the first of them.
const MOST: u64 = 200;

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    frame: Frame,
    accounts: Vec<AccountCard>,
    live: bool,
}

/// An account as the pages show it.
#[derive(Debug)]
pub(super) struct AccountCard {
    pub(super) id: String,
    pub(super) address: String,
    /// Chooses the colour.
    pub(super) state: &'static str,
    pub(super) state_words: &'static str,
    pub(super) sentence: String,
    /// Who can act, if somebody has to.
    pub(super) who: Option<&'static str>,
    pub(super) sending: Option<String>,
    pub(super) method: &'static str,
    pub(super) provider: String,
    pub(super) last_success: Option<Moment>,
    pub(super) progress: Option<Progress>,
    pub(super) action: Option<Link>,
    /// Whether it may change at any moment.
    pub(super) live: bool,
}

/// How far the first sync has come.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) done: i64,
    pub(super) total: i64,
}

pub(super) async fn list(State(state): State<AppState>, person: Person) -> Response {
    let session = person.session();
    let (tenant_id, user_ref) = (session.tenant_id, session.user_ref.as_str());
    let found = rows::list_owned(state.store().read(), tenant_id, Some(user_ref), None, MOST).await;
    let shown = match found {
        Ok(found) => accounts::show_all(&state, found).await,
        Err(error) => Err(error),
    };
    let accounts: Vec<_> = match shown {
        Ok(shown) => shown.into_iter().map(|view| card(&state, view)).collect(),
        Err(error) => return render::store_error(&state, &person, error),
    };
    let page = AccountsPage {
        frame: Frame::of(&person, "Email accounts"),
        live: accounts.iter().any(|account| account.live),
        accounts,
    };
    render::page(&state, StatusCode::OK, &page)
}

/// An account as the pages show it.
pub(super) fn card(state: &AppState, view: AccountView) -> AccountCard {
    let now: DateTime<Utc> = state.store().clock().now();
    let provider = state
        .providers()
        .by_id(&view.provider)
        .filter(|provider| provider.id != "custom")
        .map_or_else(|| view.imap.host.clone(), |provider| provider.name.clone());
    let running = view.state == AccountState::Syncing && view.progress.messages_total > 0;
    AccountCard {
        action: action(&view),
        id: view.id.to_string(),
        state: view.state.as_str(),
        state_words: ways_to_say::state(view.state),
        who: who(&view),
        method: view.method.map_or("None", ways_to_say::method),
        provider,
        last_success: view.last_success_at.map(|at| moment(at, now)),
        progress: running.then_some(Progress {
            done: view.progress.messages_done,
            total: view.progress.messages_total,
        }),
        live: matches!(
            view.state,
            AccountState::Syncing | AccountState::Connecting | AccountState::Unreachable
        ),
        address: view.address,
        sentence: view.sentence,
        sending: view.sending.sentence,
    }
}

fn who(view: &AccountView) -> Option<&'static str> {
    let at_rest = matches!(view.state, AccountState::Paused | AccountState::Disconnected);
    (view.who_can_act != WhoCanAct::Nobody && !at_rest).then(|| ways_to_say::who(view.who_can_act))
}

/// The right button for a state.
fn action(view: &AccountView) -> Option<Link> {
    let at = |anchor: &str, words: &str| Link {
        href: format!("/accounts/{}{anchor}", view.id),
        words: words.to_owned(),
    };
    match view.next_step.as_ref().map(|step| step.kind) {
        Some(NextStep::Reconnect) => Some(at("#authentication", "Connect again")),
        Some(NextStep::Resume) => Some(at("#state", "Resume")),
        Some(NextStep::AskAdministrator | NextStep::AskOperator) => Some(at("#state", "See what to do")),
        None => None,
    }
}
