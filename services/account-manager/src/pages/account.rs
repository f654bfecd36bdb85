//! One account: its state, how it signs in, pause, disconnect.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use postroom_events::AuthenticationMethod;
use postroom_store::Account;
use serde::Deserialize;

use super::{
    accounts::{AccountCard, card},
    add::{self, Entered, Problems},
    form::SentForm,
    format::{Moment, moment},
    render::{self, Frame},
    returning,
    session::Person,
    settings::SettingsForm,
};
use crate::{
    accounts,
    connect::{
        self, Choice,
        draft::{ConnectDraft, input_of},
    },
    http::{problem::Problem, request::Correlation},
    oauth,
    state::AppState,
};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    account: AccountCard,
    entered: Entered,
    problems: Problems,
    registrations: Vec<Choice>,
    paused: bool,
    disconnected: bool,
    connected_since: Moment,
    done: Option<&'static str>,
    approval: Option<String>,
    settings: SettingsForm,
}

#[derive(Template)]
#[template(path = "disconnect.html")]
struct DisconnectPage {
    frame: Frame,
    id: String,
    address: String,
}

/// The query of `GET /accounts/{id}`: what was done just now.
#[derive(Debug, Deserialize)]
pub(super) struct ShowQuery {
    done: Option<String>,
}

/// `GET /accounts/{id}`
pub(super) async fn show(
    State(state): State<AppState>,
    person: Person,
    Path(id): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Response {
    let account = match person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    // Words of our own: what stands in a URL is not repeated on a page.
    let done = match query.done.as_deref() {
        Some("connected") => Some("Connected. The first sync has begun."),
        Some("reconnected") => Some("Connected again. Nothing is fetched twice."),
        Some("paused") => Some("Paused."),
        Some("resumed") => Some("Resumed."),
        Some("saved") => Some("Saved."),
        _ => None,
    };
    render_account(
        &state,
        &person,
        StatusCode::OK,
        account,
        None,
        Problems::default(),
        done,
    )
    .await
}

/// The page of an account, with the form as last entered and what is wrong with it.
pub(super) async fn render_account(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    account: Account,
    entered: Option<Entered>,
    problems: Problems,
    done: Option<&'static str>,
) -> Response {
    let settings = match SettingsForm::stored(state, &account).await {
        Ok(settings) => settings,
        Err(error) => return render::store_error(state, person, error),
    };
    let shown = Shown {
        entered,
        problems,
        done,
        settings,
    };
    render_shown(state, person, status, account, shown).await
}

/// What the page of an account shows besides the account.
pub(super) struct Shown {
    pub(super) entered: Option<Entered>,
    pub(super) problems: Problems,
    pub(super) done: Option<&'static str>,
    pub(super) settings: SettingsForm,
}

pub(super) async fn render_shown(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    account: Account,
    shown: Shown,
) -> Response {
    let (paused, disconnected) = (account.paused, account.disconnected_at.is_some());
    let connected_since = moment(account.created_at, state.store().clock().now());
    let stored = account.clone();
    let view = match accounts::show(state, account).await {
        Ok(view) => view,
        Err(error) => return render::store_error(state, person, error),
    };
    let method = view.method.unwrap_or(AuthenticationMethod::Password);
    let entered = shown.entered.unwrap_or_else(|| stored_entries(&stored, method));
    let page = AccountPage {
        frame: Frame::of(person, view.address.clone()),
        approval: view.admin_consent_url.clone(),
        account: card(state, view),
        entered,
        problems: shown.problems,
        registrations: connect::selectable(state.identity()),
        paused,
        disconnected,
        connected_since,
        done: shown.done,
        settings: shown.settings,
    };
    render::page(state, status, &page)
}

fn stored_entries(account: &Account, method: AuthenticationMethod) -> Entered {
    let input = input_of(account, method);
    Entered {
        address: input.address,
        sender_name: input.sender_name,
        method: method.to_string(),
        login: input.login,
        imap: input.imap,
        smtp: input.smtp,
        registration: String::new(),
    }
}

/// `POST /accounts/{id}/reconnect`: the same account gets a way in that works.
pub(super) async fn reconnect(
    State(state): State<AppState>,
    Path(id): Path<String>,
    correlation: Correlation,
    form: SentForm,
) -> Response {
    let person = form.person.clone();
    let account = match person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let mut entered = Entered::of(&form);
    entered.address = account.address.clone();
    entered.sender_name = account.sender_name.clone();
    match connect_again(&state, correlation, &form, &account, &entered).await {
        Ok(response) => response,
        Err(problem) => {
            let (status, problems) = (problem.status(), Problems::of(&problem));
            render_account(&state, &person, status, account, Some(entered), problems, None).await
        }
    }
}

async fn connect_again(
    state: &AppState,
    correlation: Correlation,
    form: &SentForm,
    account: &Account,
    entered: &Entered,
) -> Result<Response, Problem> {
    accounts::refuse_disconnected(account)?;
    let session = form.person.session();
    let draft = ConnectDraft {
        account_id: Some(account.id),
        ..entered
            .check(state, &form.person)
            .await
            .map_err(Problem::fields)?
    };
    if draft.method == AuthenticationMethod::OAuth2 {
        let started = oauth::begin(state, session, &draft).await?;
        return Ok(add::leave(state, &form.person, started));
    }
    let metadata = correlation.metadata(session.tenant_id);
    connect::connect_again(state, &metadata, account, &draft, form.secret("password")).await?;
    Ok(render::go(&returning::after(
        &form.person,
        account.id,
        "reconnected",
    )))
}

/// `POST /accounts/{id}/pause`
pub(super) async fn pause(
    State(state): State<AppState>,
    Path(id): Path<String>,
    correlation: Correlation,
    form: SentForm,
) -> Response {
    let account = match form.person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let metadata = correlation.metadata(account.tenant_id);
    match accounts::pause(state.store(), &metadata, &account).await {
        Ok(account) => render::go(&format!("/accounts/{}?done=paused", account.id)),
        Err(problem) => render::problem(&state, Some(&form.person), &problem),
    }
}

/// `POST /accounts/{id}/resume`
pub(super) async fn resume(
    State(state): State<AppState>,
    Path(id): Path<String>,
    correlation: Correlation,
    form: SentForm,
) -> Response {
    let account = match form.person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let metadata = correlation.metadata(account.tenant_id);
    match accounts::resume(state.store(), &metadata, &account).await {
        Ok(account) => render::go(&format!("/accounts/{}?done=resumed", account.id)),
        Err(problem) => render::problem(&state, Some(&form.person), &problem),
    }
}

/// `GET /accounts/{id}/disconnect`: asks first.
pub(super) async fn ask_disconnect(
    State(state): State<AppState>,
    person: Person,
    Path(id): Path<String>,
) -> Response {
    let account = match person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let page = DisconnectPage {
        frame: Frame::of(&person, "Disconnect"),
        id: account.id.to_string(),
        address: account.address,
    };
    render::page(&state, StatusCode::OK, &page)
}

/// `POST /accounts/{id}/disconnect`
pub(super) async fn disconnect(
    State(state): State<AppState>,
    Path(id): Path<String>,
    correlation: Correlation,
    form: SentForm,
) -> Response {
    let account = match form.person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let metadata = correlation.metadata(account.tenant_id);
    let purge = form.ticked("purge");
    match accounts::disconnect(state.store(), &metadata, &account, purge).await {
        Ok(_) => render::go("/accounts"),
        Err(problem) => render::problem(&state, Some(&form.person), &problem),
    }
}
