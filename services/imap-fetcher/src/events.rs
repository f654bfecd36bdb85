//! imap-fetcher's own events: any worker may receive them, and the account's holder is another one as often as not. So
//! they become rows, and a wake-up to the holder after the commit.
//!
//! Most of what they tell stands in the account's row already (credential generation, pause, disconnection) or in the
//! grant's (token version): the holder, woken, reads it there, and compares it every few seconds by itself.

use std::sync::Arc;

use async_trait::async_trait;
use postroom_events::{AccountId, Consumer, Event, FolderId, GrantId, MessageChangeRejected};
use postroom_runtime::{HandledEvent, Handler, HandlerError, Verdict};
use postroom_store::{
    StoreError, Tx, accounts,
    work::{self, NewWork, WorkKind},
};
use tokio::sync::Notify;

/// Handles the events of imap-fetcher.
#[derive(Debug, Clone)]
pub(crate) struct FetcherEvents {
    /// Rung when an account may be waiting for a holder.
    bell: Arc<Notify>,
}

impl FetcherEvents {
    pub(crate) fn new(bell: Arc<Notify>) -> Self {
        Self { bell }
    }
}

#[async_trait]
impl Handler for FetcherEvents {
    type Acted = ();

    fn consumer(&self) -> Consumer {
        Consumer::ImapFetcher
    }

    async fn apply(&self, tx: &Tx, delivery: &HandledEvent, (): &()) -> Result<Verdict, HandlerError> {
        match &delivery.event {
            Event::AccountConnected(event) => self.look_again(tx, event.account_id),
            Event::AuthenticationMethodChanged(event) => self.look_again(tx, event.account_id),
            Event::AccountSettingsChanged(event) => self.look_again(tx, event.account_id),
            Event::AccountDisconnected(event) => self.look_again(tx, event.account_id),
            Event::TokenRefreshed(event) => wake_accounts_of(tx, event.grant_id).await?,
            Event::SyncRequested(event) => {
                add_sync(tx, delivery, event.account_id, event.folder_id).await?;
            }
            Event::MessageChangeRequested(event) => {
                let rejected = MessageChangeRejected {
                    account_id: event.account_id,
                    change_id: event.change_id,
                    cause: "not_supported".into(),
                };
                delivery.append(tx, vec![rejected.into()]).await?;
            }
            other => tracing::debug!(event.r#type = other.event_type(), "There is nothing to do for it"),
        }
        Ok(Verdict::Done)
    }
}

impl FetcherEvents {
    fn look_again(&self, tx: &Tx, account_id: AccountId) {
        tx.wake_account(account_id);
        // Too early to see what this transaction commits, at worst: then the next tick sees it.
        self.bell.notify_one();
    }
}

async fn wake_accounts_of(tx: &Tx, grant_id: GrantId) -> Result<(), StoreError> {
    for account in accounts::of_grant(tx.db(), grant_id).await? {
        tx.wake_account(account.id);
    }
    Ok(())
}

async fn add_sync(
    tx: &Tx,
    delivery: &HandledEvent,
    account_id: AccountId,
    folder_id: Option<FolderId>,
) -> Result<(), StoreError> {
    match accounts::find(tx.db(), account_id).await {
        Ok(account) if account.disconnected_at.is_none() => {}
        Ok(_) | Err(StoreError::NotFound { .. }) => {
            tracing::info!(account.id = %account_id, "The account is gone; nothing is synced");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let new = NewWork {
        account_id,
        kind: WorkKind::Sync { folder_id },
        cause_event_id: Some(delivery.envelope.id),
        correlation_id: delivery.envelope.correlation_id,
        due_at: tx.store().clock().now(),
    };
    work::add(tx, new).await?;
    Ok(())
}
