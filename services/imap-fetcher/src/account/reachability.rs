//! Whether the server can be reached, as people see it. Changed by whoever observed it: the holder of the account.

use postroom_events::{AccountRecovered, AccountState, AccountUnreachable, EventMetadata, WhoCanAct};
use postroom_mail::imap::{ImapError, ImapErrorKind};
use postroom_store::{
    Account, Tx,
    accounts::{self, StateChange},
    events,
    leases::Lease,
};

use crate::{Fetcher, fetcher::SERVICE, step_error::StepError};

/// Notes that the server cannot be reached, and why.
pub(super) async fn lost(
    fetcher: &Fetcher,
    lease: &Lease,
    account: &Account,
    cause: &str,
    who_can_act: WhoCanAct,
) -> Result<(), StepError> {
    let tx = fetcher.guarded(lease, "imap.unreachable").await?;
    let metadata = EventMetadata::started_by(SERVICE, account.tenant_id);
    let change = StateChange {
        account_id: account.id,
        credential_generation: Some(account.credential_generation),
        from: &[
            AccountState::Connecting,
            AccountState::Syncing,
            AccountState::Connected,
            AccountState::Unreachable,
        ],
        to: AccountState::Unreachable,
        cause: Some(cause),
        who_can_act,
    };
    if accounts::change_state(&tx, &metadata, change).await? {
        let event = AccountUnreachable {
            account_id: account.id,
            credential_generation: account.credential_generation,
            cause: cause.into(),
            who_can_act,
        };
        events::append(&tx, &metadata, vec![event.into()]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Who can end it. What passes by itself needs nobody.
pub(super) fn who_can_act(error: &ImapError) -> WhoCanAct {
    match &error.kind {
        _ if error.is_temporary() => WhoCanAct::Nobody,
        ImapErrorKind::MailboxUnavailable { .. } => WhoCanAct::Administrator,
        ImapErrorKind::Connect(_) | ImapErrorKind::LimitExceeded(_) | ImapErrorKind::Protocol { .. } => {
            WhoCanAct::Operator
        }
        _ => WhoCanAct::User,
    }
}

/// Notes, after a whole sync and not before, that all is well again.
pub(crate) async fn recovered(tx: &Tx, metadata: &EventMetadata, account: &Account) -> Result<(), StepError> {
    let change = StateChange {
        account_id: account.id,
        credential_generation: Some(account.credential_generation),
        from: &[AccountState::Unreachable],
        to: match account.backfilled_at {
            Some(_) => AccountState::Connected,
            None => AccountState::Syncing,
        },
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    if accounts::change_state(tx, metadata, change).await? {
        let event = AccountRecovered {
            account_id: account.id,
            credential_generation: account.credential_generation,
        };
        events::append(tx, metadata, vec![event.into()]).await?;
    }
    Ok(())
}
