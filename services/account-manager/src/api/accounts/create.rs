//! `POST /v1/accounts`: connect a mailbox. A password is proved on both servers before anything is kept; OAuth 2.0 is
//! answered with a one-time link for the person, or proved at once where no person signs in.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use postroom_events::AuthenticationMethod;
use serde::Deserialize;

use crate::{
    accounts,
    connect::{
        self,
        draft::{DraftInput, ServerInput},
    },
    http::{
        extract::{ApiJson, ApiTenant, SecretText},
        problem::Problem,
        request::Correlation,
    },
    links, oauth,
    state::AppState,
};

/// A server in a request; what is left out is taken from provider data.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    #[serde(default)]
    host: String,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    tls: String,
}

impl From<Server> for ServerInput {
    fn from(server: Server) -> Self {
        Self {
            host: server.host,
            port: server.port.map(|port| port.to_string()).unwrap_or_default(),
            tls: server.tls,
        }
    }
}

/// The body of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct CreateAccount {
    user_ref: String,
    address: String,
    #[serde(default)]
    sender_name: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    imap: Server,
    #[serde(default)]
    smtp: Server,
    #[serde(default)]
    login: String,
    method: AuthenticationMethod,
    #[serde(default)]
    password: SecretText,
    #[serde(default)]
    registration: String,
    #[serde(default)]
    signs_in_as: String,
    #[serde(default)]
    flow: Flow,
}

/// Where the person signs in at the provider.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Flow {
    /// In the browser that opens the link.
    #[default]
    Browser,
    /// On any device, by a code.
    Device,
}

pub(in crate::api) async fn create(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiJson(request): ApiJson<CreateAccount>,
) -> Result<Response, Problem> {
    let metadata = correlation.metadata(tenant.0);
    let mut input = DraftInput {
        user_ref: request.user_ref,
        address: request.address,
        sender_name: request.sender_name,
        provider: request.provider,
        imap: request.imap.into(),
        smtp: request.smtp.into(),
        login: request.login,
        method: request.method,
        registration: request.registration,
        signs_in_as: request.signs_in_as,
    };
    connect::find_servers(&state, tenant.0, &mut input).await;
    let draft = input.check(state.providers()).map_err(Problem::fields)?;
    let account = match draft.method {
        AuthenticationMethod::OAuth2 => {
            connect::refuse_known(&state, &metadata, &draft).await?;
            let registration = connect::choose(state.identity(), state.providers(), tenant.0, &draft)
                .map_err(|problem| Problem::fields(vec![problem]))?;
            if registration.kind.is_delegated() && request.flow == Flow::Device {
                let begun = oauth::begin_device(&state, &metadata, &draft, registration).await?;
                return Ok((StatusCode::ACCEPTED, Json(begun)).into_response());
            }
            if registration.kind.is_delegated() {
                let link = links::for_connecting(&state, tenant.0, &draft).await?;
                return Ok((StatusCode::ACCEPTED, Json(link.as_authorization())).into_response());
            }
            connect::obtained::connect(&state, &metadata, &draft, registration).await?
        }
        _ => connect::connect(&state, &metadata, &draft, request.password.0).await?,
    };
    let location = format!("/v1/accounts/{}", account.id);
    let view = accounts::show(&state, account).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response())
}
