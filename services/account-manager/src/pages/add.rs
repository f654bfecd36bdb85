//! *Add account*: address, servers, user name, password, app password or OAuth 2.0, Connect.

use askama::Template;
use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use postroom_discovery::Discovered;
use postroom_events::AuthenticationMethod;
use postroom_mail::smtp::check_address;
use postroom_providers::Provider;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    form::SentForm,
    render::{self, Frame, Link},
    returning,
    session::Person,
};
use crate::{
    connect::{
        self, Choice,
        draft::{ConnectDraft, DraftInput, ServerInput, tls_name},
    },
    http::{
        problem::{FieldProblem, Problem},
        request::Correlation,
    },
    oauth,
    state::AppState,
};

/// The fields of the form, as last entered. The password is never shown again.
#[derive(Debug, Clone, Default)]
pub(super) struct Entered {
    pub(super) address: String,
    pub(super) sender_name: String,
    pub(super) method: String,
    pub(super) login: String,
    pub(super) imap: ServerInput,
    pub(super) smtp: ServerInput,
    pub(super) registration: String,
}

impl Entered {
    pub(super) fn of(form: &SentForm) -> Self {
        let server = |half: &str| ServerInput {
            host: form.text(&format!("{half}_host")),
            port: form.text(&format!("{half}_port")),
            tls: form.text(&format!("{half}_tls")),
        };
        Self {
            address: form.text("address"),
            sender_name: form.text("sender_name"),
            method: form.text("method"),
            login: form.text("login"),
            imap: server("imap"),
            smtp: server("smtp"),
            registration: form.text("registration"),
        }
    }

    pub(super) fn of_draft(draft: &ConnectDraft) -> Self {
        let server = |endpoint: &postroom_mail::net::Endpoint| ServerInput {
            host: endpoint.host.to_string(),
            port: endpoint.port.to_string(),
            tls: tls_name(endpoint.tls).to_owned(),
        };
        Self {
            address: draft.address.clone(),
            sender_name: draft.sender_name.clone(),
            method: draft.method.to_string(),
            login: draft.login.clone(),
            imap: server(&draft.imap),
            smtp: server(&draft.smtp),
            registration: draft.registration.clone().unwrap_or_default(),
        }
    }

    /// Checked by the same rules as a request of the API.
    pub(super) async fn check(
        &self,
        state: &AppState,
        person: &Person,
    ) -> Result<ConnectDraft, Vec<FieldProblem>> {
        let method = self.method.parse::<AuthenticationMethod>().map_err(|_| {
            let detail = "Choose how to sign in: password, app password or OAuth 2.0.";
            vec![FieldProblem::new("method", "method_missing", detail)]
        })?;
        let mut input = DraftInput {
            user_ref: person.session().user_ref.clone(),
            // A link that was made for one address connects no other.
            address: person
                .session()
                .expected_address
                .clone()
                .unwrap_or_else(|| self.address.clone()),
            sender_name: self.sender_name.clone(),
            provider: String::new(),
            imap: self.imap.clone(),
            smtp: self.smtp.clone(),
            login: self.login.clone(),
            method,
            registration: self.registration.clone(),
            signs_in_as: String::new(),
        };
        connect::find_servers(state, person.session().tenant_id, &mut input).await;
        input.check(state.providers())
    }
}

/// The problems of a form, by field.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) all: Vec<ShownProblem>,
}

/// A problem beside its field.
#[derive(Debug)]
pub(super) struct ShownProblem {
    /// Id of the input; empty for the form as a whole.
    pub(super) input: String,
    pub(super) code: String,
    pub(super) detail: String,
    pub(super) help: Option<Link>,
}

impl Problems {
    pub(super) fn of(problem: &Problem) -> Self {
        match problem.field_problems() {
            [] => Self::whole(problem.code(), problem.detail()),
            fields => Self::fields(fields),
        }
    }

    pub(super) fn fields(problems: &[FieldProblem]) -> Self {
        let shown = |problem: &FieldProblem| ShownProblem {
            input: problem.field.replace('.', "_"),
            code: problem.code.to_string(),
            detail: problem.detail.clone(),
            help: problem.help_url.clone().map(|href| Link {
                href,
                words: "Open the provider's help page".to_owned(),
            }),
        };
        Self {
            all: problems.iter().map(shown).collect(),
        }
    }

    pub(super) fn whole(code: &str, detail: &str) -> Self {
        Self {
            all: vec![ShownProblem {
                input: String::new(),
                code: code.to_owned(),
                detail: detail.to_owned(),
                help: None,
            }],
        }
    }

    /// Whether something is wrong with that input.
    pub(super) fn has(&self, input: &str) -> bool {
        self.all.iter().any(|problem| problem.input == input)
    }

    /// What is wrong with that input.
    pub(super) fn at<'p>(&'p self, input: &'p str) -> impl Iterator<Item = &'p ShownProblem> {
        self.all.iter().filter(move |problem| problem.input == input)
    }
}

#[derive(Template)]
#[template(path = "add_account.html")]
struct AddPage {
    frame: Frame,
    entered: Entered,
    problems: Problems,
    registrations: Vec<Choice>,
}

/// The way out to an identity provider. Not a redirect: a form that is redirected to another site is stopped by
/// `form-action`, and the provider's own redirects would be, too.
#[derive(Template)]
#[template(path = "leaving.html")]
struct LeavingPage {
    frame: Frame,
    provider: String,
    url: String,
}

/// The query of `GET /accounts/add`.
#[derive(Debug, Deserialize)]
pub(super) struct AddQuery {
    #[serde(default)]
    address: String,
}

/// `GET /accounts/add`
pub(super) async fn show(
    State(state): State<AppState>,
    person: Person,
    Query(query): Query<AddQuery>,
) -> Response {
    let mut entered = Entered {
        address: person
            .session()
            .expected_address
            .as_ref()
            .unwrap_or(&query.address)
            .chars()
            .filter(|c| !c.is_control())
            .take(254)
            .collect(),
        method: AuthenticationMethod::Password.to_string(),
        ..Entered::default()
    };
    if let Some(provider) = state.providers().by_address(&entered.address) {
        fill_in(&mut entered, provider);
    }
    form(&state, &person, StatusCode::OK, entered, Problems::default())
}

/// The form again, with what was entered and what is wrong with it.
pub(super) fn form(
    state: &AppState,
    person: &Person,
    status: StatusCode,
    entered: Entered,
    problems: Problems,
) -> Response {
    let page = AddPage {
        frame: Frame::of(person, "Add account"),
        entered,
        problems,
        registrations: connect::selectable(state.identity()),
    };
    render::page(state, status, &page)
}

/// `POST /accounts/add`
pub(super) async fn submit(
    State(state): State<AppState>,
    correlation: Correlation,
    form: SentForm,
) -> Response {
    let person = form.person.clone();
    let entered = Entered::of(&form);
    match connect(&state, correlation, &form, &entered).await {
        Ok(response) => response,
        Err(problem) => self::form(&state, &person, problem.status(), entered, Problems::of(&problem)),
    }
}

async fn connect(
    state: &AppState,
    correlation: Correlation,
    form: &SentForm,
    entered: &Entered,
) -> Result<Response, Problem> {
    let session = form.person.session();
    let metadata = correlation.metadata(session.tenant_id);
    let draft = entered
        .check(state, &form.person)
        .await
        .map_err(Problem::fields)?;
    if draft.method == AuthenticationMethod::OAuth2 {
        connect::refuse_known(state, &metadata, &draft).await?;
        let started = oauth::begin(state, session, &draft).await?;
        return Ok(leave(state, &form.person, started));
    }
    let account = connect::connect(state, &metadata, &draft, form.secret("password")).await?;
    Ok(render::go(&returning::after(
        &form.person,
        account.id,
        "connected",
    )))
}

/// On to the identity provider.
pub(super) fn leave(state: &AppState, person: &Person, started: oauth::Started) -> Response {
    let url = started.url.to_string();
    let page = LeavingPage {
        frame: Frame {
            refresh: Some(url.clone()),
            ..Frame::of(person, format!("On to {}", started.provider))
        },
        provider: started.provider,
        url,
    };
    render::page(state, StatusCode::OK, &page)
}

/// `GET /accounts/preset?address=`: what is known about the provider of an address, for the form's script.
pub(super) async fn preset(
    State(state): State<AppState>,
    person: Person,
    Query(query): Query<AddQuery>,
) -> Response {
    let provider = Some(query.address.trim())
        .filter(|address| check_address(address).is_ok())
        .and_then(|address| state.providers().by_address(address));
    let found = match provider {
        Some(_) => None,
        None => connect::discovered(&state, person.session().tenant_id, &query.address).await,
    };
    // A domain of one's own may lie with a provider that is known.
    let hoster = || state.providers().by_id(&found.as_ref()?.provider);
    let Some(provider) = provider.or_else(hoster) else {
        let known = found.as_ref().map(found_json);
        return Json(known.unwrap_or_else(|| json!({ "known": false }))).into_response();
    };
    let mut entered = Entered {
        address: query.address.trim().to_owned(),
        ..Entered::default()
    };
    fill_in(&mut entered, provider);
    Json(json!({
        "known": true,
        "name": provider.name,
        "imap": server_json(&entered.imap),
        "smtp": server_json(&entered.smtp),
        "login": entered.login,
        "method": entered.method,
        "oauth_ready": state.identity().registration_for(provider).is_some(),
        "hint": provider.sign_in_hint,
        "app_password_help": provider.app_password_help,
    }))
    .into_response()
}

/// What discovery found, as provider data would be told.
fn found_json(found: &Discovered) -> Value {
    let (imap, smtp) = connect::servers_of(found);
    let domain = found.address.rsplit_once('@').map_or("", |(_, domain)| domain);
    json!({
        "known": true,
        "name": domain,
        "imap": server_json(&imap),
        "smtp": server_json(&smtp),
        "login": connect::login_of(found),
        "method": AuthenticationMethod::Password,
        "oauth_ready": false,
        "hint": null,
        "app_password_help": found.app_password_help,
    })
}

fn server_json(server: &ServerInput) -> Value {
    json!({ "host": server.host, "port": server.port, "tls": server.tls })
}

fn fill_in(entered: &mut Entered, provider: &Provider) {
    entered.imap = provider.imap.first().map(connect::of_preset).unwrap_or_default();
    entered.smtp = provider.smtp.first().map(connect::of_preset).unwrap_or_default();
    entered.login = provider.username.of(&entered.address).to_owned();
    if let Some(best) = provider.sign_in.first() {
        entered.method = best.to_string();
    }
}
