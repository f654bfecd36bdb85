//! A grant that gives no tokens any more: everybody who signs in with it is told why, and who can change that.

use postroom_events::{AccountState, Event, ReauthorizationRequired, WhoCanAct};
use postroom_oauth::{Cause, NextStep};
use postroom_runtime::{HandledEvent, HandlerError, Verdict};
use postroom_store::{
    Account, StoreError, Tx,
    accounts::{self, StateChange},
    admin_approvals,
    refreshes::{self, HeldGrant},
};

/// A grant that the provider will give no tokens for.
#[derive(Debug)]
pub(crate) struct DeadGrant {
    pub(crate) held: Box<HeldGrant>,
    /// Stable snake_case code.
    pub(crate) cause: &'static str,
    /// Who can end it.
    pub(crate) who_can_act: WhoCanAct,
}

/// Declares it dead, unless it has got new tokens or another holder since: the update that ends it reads it again.
pub(crate) async fn apply(
    tx: &Tx,
    delivery: &HandledEvent,
    dead: &DeadGrant,
) -> Result<Verdict, HandlerError> {
    let grant = &dead.held.grant;
    if !refreshes::declare_dead(tx, &dead.held, dead.cause).await? {
        tracing::info!(grant.id = %grant.id, "The grant has moved on since it was refused; nothing is declared");
        return Ok(Verdict::Done);
    }
    let mut told = Vec::new();
    for account in accounts::of_grant(tx.db(), grant.id).await? {
        // A paused account stays paused, and asks when it is resumed.
        if change_state(tx, delivery, dead, &account).await? || account.paused {
            if passes_a_link_on(dead.cause) {
                admin_approvals::ask(tx, account.tenant_id, account.id, &grant.provider_id).await?;
            }
            told.push(required(dead, &account));
        }
    }
    tracing::warn!(
        grant.id = %grant.id,
        cause = dead.cause,
        who_can_act = %dead.who_can_act,
        accounts = told.len(),
        "A grant gives no tokens any more; its accounts ask for a new sign-in"
    );
    delivery.append(tx, told).await?;
    Ok(Verdict::Done)
}

async fn change_state(
    tx: &Tx,
    delivery: &HandledEvent,
    dead: &DeadGrant,
    account: &Account,
) -> Result<bool, StoreError> {
    use AccountState::{Connected, Connecting, Syncing, Unreachable};
    let change = StateChange {
        account_id: account.id,
        credential_generation: Some(account.credential_generation),
        from: &[Connecting, Syncing, Connected, Unreachable],
        to: state_of(dead.cause),
        cause: Some(dead.cause),
        who_can_act: dead.who_can_act,
    };
    accounts::change_state(tx, &delivery.metadata(), change).await
}

/// What the table of causes says; a cause of our own is a new sign-in.
fn state_of(cause: &str) -> AccountState {
    Cause::by_code(cause)
        .and_then(|cause| cause.account_state())
        .unwrap_or(AccountState::NeedsReauthorization)
}

/// Whether the person can pass a link on to the administrator.
fn passes_a_link_on(cause: &str) -> bool {
    Cause::by_code(cause).is_some_and(|cause| cause.next_step() == NextStep::PassApprovalLinkOn)
}

fn required(dead: &DeadGrant, account: &Account) -> Event {
    ReauthorizationRequired {
        account_id: account.id,
        credential_generation: account.credential_generation,
        token_version: Some(dead.held.grant.token_version),
        cause: dead.cause.to_owned(),
        who_can_act: dead.who_can_act,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use postroom_oauth::causes;

    use super::*;

    #[test]
    fn only_an_approval_is_waited_for() {
        let waiting: Vec<_> = causes::ALL
            .iter()
            .filter(|cause| state_of(cause.code) == AccountState::AwaitingAdmin)
            .map(|cause| cause.who_acts)
            .collect();
        assert_eq!(waiting, [WhoCanAct::Administrator; 4]);
        assert_eq!(state_of("rotation_lost"), AccountState::NeedsReauthorization);
    }
}
