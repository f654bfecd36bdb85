//! An account as API and pages show it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use postroom_events::{
    AccountId, AccountState, AuthenticationMethod, CredentialId, SendCondition, WhoCanAct,
};
use postroom_store::{Account, StoreError, admin_approvals, credentials};
use serde::Serialize;

use super::explain::{NextStep, explain, explain_sending};
use crate::state::AppState;

/// An account as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AccountView {
    pub(crate) id: AccountId,
    pub(crate) user_ref: String,
    pub(crate) address: String,
    pub(crate) sender_name: String,
    pub(crate) signature: String,
    pub(crate) provider: String,
    pub(crate) imap: ServerView,
    pub(crate) smtp: ServerView,
    pub(crate) login: String,
    pub(crate) method: Option<AuthenticationMethod>,
    pub(crate) credential_generation: i64,
    pub(crate) state: AccountState,
    pub(crate) cause: Option<String>,
    pub(crate) sentence: String,
    pub(crate) who_can_act: WhoCanAct,
    pub(crate) next_step: Option<NextStepView>,
    /// The link to pass on to an administrator, while an approval is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin_consent_url: Option<String>,
    pub(crate) sending: SendingView,
    pub(crate) progress: ProgressView,
    pub(crate) last_success_at: Option<DateTime<Utc>>,
    pub(crate) state_changed_at: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disconnected_at: Option<DateTime<Utc>>,
}

/// A server as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ServerView {
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) tls: String,
}

/// What can be done about a state, with the page where it is done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NextStepView {
    pub(crate) kind: NextStep,
    pub(crate) url: String,
}

/// Whether an account can send.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SendingView {
    pub(crate) condition: SendCondition,
    pub(crate) cause: Option<String>,
    pub(crate) sentence: Option<String>,
}

/// How far the first sync has come.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ProgressView {
    pub(crate) messages_done: i64,
    pub(crate) messages_total: i64,
    pub(crate) completed_at: Option<DateTime<Utc>>,
}

/// How each of the accounts signs in, in one query.
pub(crate) async fn methods_of(
    state: &AppState,
    accounts: &[Account],
) -> Result<HashMap<CredentialId, AuthenticationMethod>, StoreError> {
    let ids: Vec<_> = accounts
        .iter()
        .filter_map(|account| account.credential_id)
        .collect();
    credentials::methods(state.store().read(), &ids).await
}

/// The link that each of the accounts waits to be approved by, in one query.
async fn approval_links(
    state: &AppState,
    accounts: &[Account],
) -> Result<HashMap<AccountId, String>, StoreError> {
    let ids: Vec<_> = accounts.iter().map(|account| account.id).collect();
    let approvals = admin_approvals::of_accounts(state.store(), &ids).await?;
    let link = |token: &str| state.settings().page(&format!("/approve/{token}"));
    Ok(approvals
        .iter()
        .map(|approval| (approval.account_id, link(&approval.token)))
        .collect())
}

/// One account.
pub(crate) async fn show(state: &AppState, account: Account) -> Result<AccountView, StoreError> {
    let mut shown = show_all(state, vec![account.clone()]).await?;
    shown
        .pop()
        .ok_or_else(|| StoreError::not_found("account", account.id))
}

/// Several accounts.
pub(crate) async fn show_all(
    state: &AppState,
    accounts: Vec<Account>,
) -> Result<Vec<AccountView>, StoreError> {
    let methods = methods_of(state, &accounts).await?;
    let mut links = approval_links(state, &accounts).await?;
    Ok(accounts
        .into_iter()
        .map(|account| AccountView {
            admin_consent_url: links.remove(&account.id),
            ..view(state, account, &methods)
        })
        .collect())
}

fn view(
    state: &AppState,
    account: Account,
    methods: &HashMap<CredentialId, AuthenticationMethod>,
) -> AccountView {
    let provider = provider_name(state, &account);
    let explanation = explain(&account, &provider);
    let sending = SendingView {
        condition: account.send_condition,
        sentence: explain_sending(&account, &provider),
        cause: account.send_cause.clone(),
    };
    let url = state.settings().page(&format!("/accounts/{}", account.id));
    AccountView {
        id: account.id,
        method: account.credential_id.and_then(|id| methods.get(&id).copied()),
        imap: ServerView {
            host: account.imap_host,
            port: account.imap_port,
            tls: account.imap_tls,
        },
        smtp: ServerView {
            host: account.smtp_host,
            port: account.smtp_port,
            tls: account.smtp_tls,
        },
        user_ref: account.user_ref,
        address: account.address,
        sender_name: account.sender_name,
        signature: account.signature,
        provider: account.provider_id,
        login: account.login,
        credential_generation: account.credential_generation,
        state: account.state,
        cause: account.state_cause,
        sentence: explanation.sentence,
        who_can_act: account.state_who_can_act,
        admin_consent_url: None,
        next_step: explanation.next_step.map(|kind| NextStepView { kind, url }),
        sending,
        progress: ProgressView {
            messages_done: account.messages_done,
            messages_total: account.messages_total,
            completed_at: account.backfilled_at,
        },
        last_success_at: account.last_success_at,
        state_changed_at: account.state_changed_at,
        created_at: account.created_at,
        disconnected_at: account.disconnected_at,
    }
}

/// The provider as people know it; the server's name where it is none of those known.
pub(crate) fn provider_name(state: &AppState, account: &Account) -> String {
    state
        .providers()
        .by_id(&account.provider_id)
        .filter(|provider| provider.id != "custom")
        .map_or_else(|| account.imap_host.clone(), |provider| provider.name.clone())
}
