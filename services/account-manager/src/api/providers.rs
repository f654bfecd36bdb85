//! `GET /v1/providers`: the mail providers that are known, and what can be connected with them here.

use axum::{Json, extract::State};
use postroom_events::AuthenticationMethod;
use serde::Serialize;

use crate::{
    connect,
    http::{extract::ApiTenant, problem::Problem},
    paging::Page,
    state::AppState,
};

/// A provider as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct ProviderView {
    id: String,
    name: String,
    domains: Vec<String>,
    methods: Vec<AuthenticationMethod>,
    /// Whether this Postroom is registered there, so that OAuth 2.0 can be used.
    oauth_ready: bool,
    app_password_help: Option<String>,
}

/// The answer: providers, and the OAuth registrations that can be named for any mailbox.
#[derive(Debug, Serialize)]
pub(super) struct Providers {
    #[serde(flatten)]
    page: Page<ProviderView>,
    registrations: Vec<RegistrationView>,
}

#[derive(Debug, Serialize)]
struct RegistrationView {
    id: String,
    name: String,
}

pub(super) async fn list(State(state): State<AppState>, _: ApiTenant) -> Result<Json<Providers>, Problem> {
    let items = state
        .providers()
        .all()
        .iter()
        .map(|provider| ProviderView {
            id: provider.id.clone(),
            name: provider.name.clone(),
            domains: provider.domains.clone(),
            methods: provider.sign_in.clone(),
            oauth_ready: state.identity().registration_for(provider).is_some(),
            app_password_help: provider.app_password_help.as_ref().map(ToString::to_string),
        })
        .collect();
    let registrations = connect::selectable(state.identity())
        .into_iter()
        .map(|choice| RegistrationView {
            id: choice.id,
            name: choice.name,
        })
        .collect();
    Ok(Json(Providers {
        page: Page { items, next: None },
        registrations,
    }))
}
