//! Pausing, resuming and disconnecting: row, state and events in one transaction each.

use postroom_events::{AccountDisconnected, AccountSettingsChanged, AccountState, EventMetadata, WhoCanAct};
use postroom_store::{
    Account, Store, StoreError, Tx,
    accounts::{self, StateChange},
    admin_approvals, events,
};

use crate::http::problem::Problem;

/// The states that an account can be paused in.
const ALL_BUT_DISCONNECTED: &[AccountState] = &[
    AccountState::Connecting,
    AccountState::Syncing,
    AccountState::Connected,
    AccountState::NeedsReauthorization,
    AccountState::AwaitingAdmin,
    AccountState::Unreachable,
    AccountState::Paused,
];

/// Pauses an account. Pausing a paused one changes nothing.
pub(crate) async fn pause(
    store: &Store,
    metadata: &EventMetadata,
    account: &Account,
) -> Result<Account, Problem> {
    refuse_disconnected(account)?;
    let tx = store.begin("account.pause").await?;
    if !accounts::find(tx.db(), account.id).await?.paused {
        accounts::set_paused(&tx, account.id, true).await?;
        change(
            &tx,
            metadata,
            account,
            AccountState::Paused,
            Some("paused_by_user"),
            WhoCanAct::User,
        )
        .await?;
        tell_settings(&tx, metadata, account, true).await?;
    }
    finish(tx, account).await
}

/// Resumes an account. What had to be done before it was paused, or has to be since, is still to be done.
pub(crate) async fn resume(
    store: &Store,
    metadata: &EventMetadata,
    account: &Account,
) -> Result<Account, Problem> {
    refuse_disconnected(account)?;
    let tx = store.begin("account.resume").await?;
    if accounts::find(tx.db(), account.id).await?.paused {
        accounts::set_paused(&tx, account.id, false).await?;
        // Read after that write, which keeps everybody else off the row: what changed last is what it comes back to.
        let current = accounts::find(tx.db(), account.id).await?;
        let to = current.resumes_to.unwrap_or(AccountState::Syncing);
        let who = current.resumes_who_can_act.unwrap_or(WhoCanAct::Nobody);
        change(&tx, metadata, account, to, current.resumes_cause.as_deref(), who).await?;
        tell_settings(&tx, metadata, account, false).await?;
    }
    finish(tx, account).await
}

/// Disconnects an account for good; with `purge` its mail is erased too.
pub(crate) async fn disconnect(
    store: &Store,
    metadata: &EventMetadata,
    account: &Account,
    purge: bool,
) -> Result<Account, Problem> {
    refuse_disconnected(account)?;
    let tx = store.begin("account.disconnect").await?;
    accounts::set_disconnected(&tx, account.id, purge).await?;
    admin_approvals::settle(&tx, account.id).await?;
    let (to, cause) = (AccountState::Disconnected, Some("disconnected_by_user"));
    change(&tx, metadata, account, to, cause, WhoCanAct::Nobody).await?;
    let event = AccountDisconnected {
        account_id: account.id,
        credential_generation: accounts::find(tx.db(), account.id).await?.credential_generation,
        purge,
    };
    events::append(&tx, metadata, vec![event.into()]).await?;
    finish(tx, account).await
}

/// A disconnected account is history: nothing about it changes any more.
pub(crate) fn refuse_disconnected(account: &Account) -> Result<(), Problem> {
    if account.disconnected_at.is_none() {
        return Ok(());
    }
    Err(Problem::conflict(
        "account_disconnected",
        "This account was disconnected for good. Connect the address again as a new account.",
    ))
}

async fn change(
    tx: &Tx,
    metadata: &EventMetadata,
    account: &Account,
    to: AccountState,
    cause: Option<&str>,
    who_can_act: WhoCanAct,
) -> Result<(), StoreError> {
    let change = StateChange {
        account_id: account.id,
        credential_generation: None,
        from: ALL_BUT_DISCONNECTED,
        to,
        cause,
        who_can_act,
    };
    accounts::change_state(tx, metadata, change).await?;
    Ok(())
}

async fn tell_settings(
    tx: &Tx,
    metadata: &EventMetadata,
    account: &Account,
    paused: bool,
) -> Result<(), StoreError> {
    let event = AccountSettingsChanged {
        account_id: account.id,
        paused,
    };
    events::append(tx, metadata, vec![event.into()]).await?;
    Ok(())
}

async fn finish(tx: Tx, account: &Account) -> Result<Account, Problem> {
    let account = accounts::find(tx.db(), account.id).await?;
    tx.commit().await?;
    Ok(account)
}
