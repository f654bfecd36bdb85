//! `POST /v1/accounts/{id}/reconnect`: give an existing account a way in that works, the same or another one. Its id,
//! mail and sync state stay.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use postroom_events::{AccountId, AuthenticationMethod};
use serde::Deserialize;

use super::{create::Server, owned};
use crate::{
    accounts,
    connect::{
        self,
        draft::{ConnectDraft, input_of},
    },
    http::{
        extract::{ApiId, ApiJson, ApiTenant, SecretText},
        problem::Problem,
        request::Correlation,
    },
    links,
    state::AppState,
};

/// The body of the request; what is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Reconnect {
    method: AuthenticationMethod,
    #[serde(default)]
    password: SecretText,
    #[serde(default)]
    imap: Option<Server>,
    #[serde(default)]
    smtp: Option<Server>,
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    registration: String,
}

pub(in crate::api) async fn reconnect(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiId(id): ApiId<AccountId>,
    ApiJson(request): ApiJson<Reconnect>,
) -> Result<Response, Problem> {
    let account = owned(&state, tenant, id).await?;
    accounts::refuse_disconnected(&account)?;
    let mut input = input_of(&account, request.method);
    if let Some(imap) = request.imap {
        input.imap = imap.into();
    }
    if let Some(smtp) = request.smtp {
        input.smtp = smtp.into();
    }
    if let Some(login) = request.login {
        input.login = login;
    }
    input.registration = request.registration;
    let draft = ConnectDraft {
        account_id: Some(account.id),
        ..input.check(state.providers()).map_err(Problem::fields)?
    };
    let metadata = correlation.metadata(tenant.0);
    let account = match draft.method {
        AuthenticationMethod::OAuth2 => {
            let registration = connect::choose(state.identity(), state.providers(), tenant.0, &draft)
                .map_err(|problem| Problem::fields(vec![problem]))?;
            if registration.kind.is_delegated() {
                let link = links::for_connecting(&state, tenant.0, &draft).await?;
                return Ok((StatusCode::ACCEPTED, Json(link.as_authorization())).into_response());
            }
            connect::obtained::connect_again(&state, &metadata, &account, &draft, registration).await?
        }
        _ => connect::connect_again(&state, &metadata, &account, &draft, request.password.0).await?,
    };
    Ok(Json(accounts::show(&state, account).await?).into_response())
}
