//! account-manager's own events.
//!
//! States are changed by whoever observes the fact, in its own transaction; an event that arrives later tells nothing that
//! the row does not know, and the row may have outgrown it. So most of them are only taken note of. What is done here
//! is what has no other writer, and is right in any order.

use async_trait::async_trait;
use postroom_events::{AccountId, AccountState, Consumer, Event, EventMetadata, WhoCanAct};
use postroom_runtime::{HandledEvent, Handler, HandlerError, Verdict};
use postroom_store::{
    StoreError, Tx,
    accounts::{self, StateChange},
};

/// Handles the events of account-manager.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountEvents;

#[async_trait]
impl Handler for AccountEvents {
    type Acted = ();

    fn consumer(&self) -> Consumer {
        Consumer::AccountManager
    }

    async fn apply(&self, tx: &Tx, delivery: &HandledEvent, (): &()) -> Result<Verdict, HandlerError> {
        match &delivery.event {
            Event::BackfillProgressed(event) => {
                progressed(
                    tx,
                    event.account_id,
                    event.messages_done,
                    event.messages_total,
                    false,
                )
                .await?;
            }
            Event::BackfillCompleted(event) => {
                let done = event.messages_done;
                if progressed(tx, event.account_id, done, done, true).await? {
                    first_sync_is_over(tx, &delivery.metadata(), event.account_id).await?;
                }
            }
            other => tracing::debug!(
                event.r#type = other.event_type(),
                "Its writer has changed the row already"
            ),
        }
        Ok(Verdict::Done)
    }
}

/// Notes progress that goes beyond what is noted; events come in any order. Gives whether the account is still there.
async fn progressed(
    tx: &Tx,
    id: AccountId,
    done: i64,
    total: i64,
    completed: bool,
) -> Result<bool, StoreError> {
    let account = match accounts::find(tx.db(), id).await {
        Ok(account) => account,
        Err(StoreError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let news = done > account.messages_done || (completed && account.backfilled_at.is_none());
    if news && account.disconnected_at.is_none() {
        let done = done.max(account.messages_done);
        accounts::set_progress(
            tx,
            id,
            done,
            total.max(account.messages_total).max(done),
            completed,
        )
        .await?;
    }
    Ok(true)
}

async fn first_sync_is_over(tx: &Tx, metadata: &EventMetadata, id: AccountId) -> Result<(), StoreError> {
    let change = StateChange {
        account_id: id,
        credential_generation: None,
        from: &[AccountState::Syncing],
        to: AccountState::Connected,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    accounts::change_state(tx, metadata, change).await?;
    Ok(())
}
