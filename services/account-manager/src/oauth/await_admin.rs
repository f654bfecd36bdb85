//! The provider says that an administrator must approve first: what was to be connected is kept, and waits.

use postroom_events::{AccountId, AccountState, AccountStateChanged, EventMetadata, WhoCanAct};
use postroom_oauth::{Cause, NextStep};
use postroom_store::{
    Account, StoreError, Tx,
    accounts::{self, NewAccount, StateChange},
    admin_approvals, events,
};

use crate::{
    connect::draft::{ConnectDraft, stored},
    state::AppState,
};

/// Whether all that lacks is an approval that can be asked for by a link.
pub(crate) fn awaits_admin(cause: Cause) -> bool {
    cause.account_state() == Some(AccountState::AwaitingAdmin)
        && cause.next_step() == NextStep::PassApprovalLinkOn
}

/// Keeps a new address as an account that waits. An account that exists keeps its way in as long as that works.
pub(crate) async fn await_admin(
    state: &AppState,
    metadata: &EventMetadata,
    registration: &str,
    draft: &ConnectDraft,
    cause: Cause,
) -> Result<Account, StoreError> {
    let tx = state.store().begin("account.await_admin").await?;
    let tenant_id = metadata.tenant_id;
    let known = match draft.account_id {
        Some(id) => Some(accounts::find_owned(tx.db(), tenant_id, Some(&draft.user_ref), id).await?),
        None => accounts::find_by_address(tx.db(), tenant_id, &draft.user_ref, &draft.address).await?,
    };
    let account = match known {
        Some(account) => {
            wait(&tx, metadata, &account, cause).await?;
            account
        }
        None => keep(&tx, metadata, draft, cause).await?,
    };
    admin_approvals::ask(&tx, tenant_id, account.id, registration).await?;
    let account = accounts::find(tx.db(), account.id).await?;
    tx.commit().await?;
    Ok(account)
}

async fn keep(
    tx: &Tx,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    cause: Cause,
) -> Result<Account, StoreError> {
    let new = NewAccount {
        id: AccountId::generate(),
        tenant_id: metadata.tenant_id,
        user_ref: draft.user_ref.clone(),
        address: draft.address.clone(),
        sender_name: draft.sender_name.clone(),
        provider_id: draft.provider_id.clone(),
        imap: stored(&draft.imap),
        smtp: stored(&draft.smtp),
        login: draft.login.clone(),
        mailbox: draft.shared_mailbox(),
        credential_id: (),
    };
    let account = accounts::create_awaiting_admin(tx, new, cause.code).await?;
    let event = AccountStateChanged {
        account_id: account.id,
        from: AccountState::Connecting,
        to: account.state,
        cause: account.state_cause.clone(),
        who_can_act: account.state_who_can_act,
    };
    events::append(tx, metadata, vec![event.into()]).await?;
    Ok(account)
}

/// Only an account whose way in no longer works waits for the new one.
async fn wait(tx: &Tx, metadata: &EventMetadata, account: &Account, cause: Cause) -> Result<(), StoreError> {
    let change = StateChange {
        account_id: account.id,
        credential_generation: None,
        from: &[AccountState::NeedsReauthorization, AccountState::AwaitingAdmin],
        to: AccountState::AwaitingAdmin,
        cause: Some(cause.code),
        who_can_act: WhoCanAct::Administrator,
    };
    accounts::change_state(tx, metadata, change).await?;
    Ok(())
}
