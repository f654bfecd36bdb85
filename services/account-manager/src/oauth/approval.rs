//! An administrator's approval: the way to the provider's page, and what comes back from there.
//!
//! Neither needs a session here: the person passes the link on. An answer authorizes nothing - it is tokens that prove an
//! approval - so all that it does is to say that it is time to try again.

use postroom_crypto::TokenDigest;
use postroom_events::{AccountState, AuthenticationMethod, EventMetadata, WhoCanAct};
use postroom_oauth::{AdminConsentAnswer, RedirectError};
use postroom_store::{
    AdminApproval, StoreError,
    accounts::{self, StateChange},
    admin_approvals,
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tracing::Instrument;
use url::Url;

use super::begin::redirect_uri;
use crate::{
    connect::{
        self,
        draft::{ConnectDraft, input_of},
    },
    http::problem::Problem,
    state::AppState,
};

/// What came back with the administrator's browser. All of it is untrusted: anybody can send a browser here.
#[derive(Deserialize)]
pub(crate) struct ApprovalAnswer {
    #[serde(default)]
    state: String,
    admin_consent: Option<String>,
    tenant: Option<String>,
    error: Option<String>,
    #[serde(alias = "error_subcode")]
    suberror: Option<String>,
    error_description: Option<String>,
}

/// The provider's page where the application is approved, if it has one.
pub(crate) async fn approval_page(state: &AppState, token: &str) -> Result<Option<Url>, Problem> {
    let approval = admin_approvals::find(state.store(), token).await?;
    let Some(registration) = state.identity().registration(&approval.provider_id) else {
        return Ok(None);
    };
    let provider = state.identity().get(&registration.id).await?;
    let redirect_uri = redirect_uri(state, registration, "/oauth/admin-consent")?;
    let Some(request) = provider.and_then(|provider| provider.admin_consent_request(&redirect_uri, None))
    else {
        return Ok(None);
    };
    let tx = state.store().begin("approval.leave").await?;
    let digest = TokenDigest::of(request.csrf_state.expose_secret());
    admin_approvals::leave(&tx, approval.account_id, &digest).await?;
    tx.commit().await?;
    Ok(Some(request.url))
}

/// Takes the administrator's answer. A yes makes the account ask its person to connect; where no person signs in, it is
/// tried again at once.
pub(crate) async fn approved(
    state: &AppState,
    metadata_of: impl FnOnce(postroom_events::TenantId) -> EventMetadata,
    answer: &ApprovalAnswer,
) -> Result<(), Problem> {
    let tx = state.store().begin("approval.take").await?;
    let approval = admin_approvals::take(&tx, &TokenDigest::of(&answer.state)).await?;
    tx.commit().await?;
    let provider = state.identity().get(&approval.provider_id).await?;
    let provider = provider.ok_or_else(Problem::internal)?;
    provider.admin_consent_answer(&AdminConsentAnswer {
        admin_consent: answer.admin_consent.as_deref(),
        tenant: answer.tenant.as_deref(),
        error: answer.error.as_deref().map(|error| RedirectError {
            error,
            suberror: answer.suberror.as_deref(),
            description: answer.error_description.as_deref(),
        }),
    })?;
    let metadata = metadata_of(approval.tenant_id);
    tracing::info!(account.id = %approval.account_id, "An administrator has approved");
    if provider.is_delegated() {
        return Ok(ask_the_person(state, &metadata, &approval).await?);
    }
    let (state, span) = (state.clone(), tracing::Span::current());
    let trying = async move {
        if let Err(problem) = try_again(&state, &metadata, &approval).await {
            tracing::warn!(account.id = %approval.account_id, cause = problem.code(), "An approved account still gets no tokens");
        }
    };
    tokio::spawn(trying.instrument(span));
    Ok(())
}

async fn ask_the_person(
    state: &AppState,
    metadata: &EventMetadata,
    approval: &AdminApproval,
) -> Result<(), StoreError> {
    let tx = state.store().begin("approval.ask_the_person").await?;
    let change = StateChange {
        account_id: approval.account_id,
        credential_generation: None,
        from: &[AccountState::AwaitingAdmin],
        to: AccountState::NeedsReauthorization,
        cause: Some("admin_approved"),
        who_can_act: WhoCanAct::User,
    };
    accounts::change_state(&tx, metadata, change).await?;
    admin_approvals::settle(&tx, approval.account_id).await?;
    tx.commit().await
}

async fn try_again(
    state: &AppState,
    metadata: &EventMetadata,
    approval: &AdminApproval,
) -> Result<(), Problem> {
    let db = state.store().read();
    let account = accounts::find_owned(db, approval.tenant_id, None, approval.account_id).await?;
    let mut input = input_of(&account, AuthenticationMethod::OAuth2);
    input.registration = approval.provider_id.clone();
    let draft = ConnectDraft {
        account_id: Some(account.id),
        ..input.check(state.providers()).map_err(Problem::fields)?
    };
    let registration = connect::choose(state.identity(), state.providers(), approval.tenant_id, &draft)
        .map_err(|problem| Problem::fields(vec![problem]))?;
    connect::obtained::connect_again(state, metadata, &account, &draft, registration).await?;
    Ok(())
}
