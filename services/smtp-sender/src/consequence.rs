//! What a sign-in means for the account, beyond the mail that it was made for.

use postroom_events::{
    AccountState, Event, EventEnvelope, EventMetadata, ReauthorizationRequired, SendBlocked, SendCondition,
    SendUnblocked, TokenRejected, WhoCanAct,
};
use postroom_store::{
    Account, StoreError, Tx,
    accounts::{self, StateChange},
    events,
};

use crate::refused::TokenUsed;

/// What a sign-in means for the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Another token is needed.
    TokenRejected(TokenUsed),
    /// The person has to sign in again.
    PersonNeeded { cause: &'static str },
    /// The account receives, and cannot send.
    SendingBlocked {
        cause: &'static str,
        who_can_act: WhoCanAct,
    },
    /// It was let in.
    SendingWorks,
}

impl Consequence {
    /// Writes it down and tells it, once: a row that says so already, or that has another credential by now, is left alone.
    pub(crate) async fn apply(
        self,
        tx: &Tx,
        metadata: &EventMetadata,
        account: &Account,
    ) -> Result<Vec<EventEnvelope>, StoreError> {
        let event = match self {
            Self::TokenRejected(token) => Some(
                TokenRejected {
                    grant_id: token.grant_id,
                    token_version: token.version,
                    account_id: account.id,
                }
                .into(),
            ),
            Self::PersonNeeded { cause } => need_person(tx, metadata, account, cause).await?,
            Self::SendingBlocked { cause, who_can_act } => {
                let changed = set_condition(tx, account, SendCondition::Blocked, Some(cause)).await?;
                changed.then(|| {
                    SendBlocked {
                        account_id: account.id,
                        credential_generation: account.credential_generation,
                        cause: cause.to_owned(),
                        who_can_act,
                    }
                    .into()
                })
            }
            Self::SendingWorks if account.send_condition == SendCondition::Ok => None,
            Self::SendingWorks => {
                let changed = set_condition(tx, account, SendCondition::Ok, None).await?;
                changed.then(|| {
                    SendUnblocked {
                        account_id: account.id,
                        credential_generation: account.credential_generation,
                    }
                    .into()
                })
            }
        };
        events::append(tx, metadata, event.into_iter().collect()).await
    }
}

async fn set_condition(
    tx: &Tx,
    account: &Account,
    condition: SendCondition,
    cause: Option<&str>,
) -> Result<bool, StoreError> {
    accounts::set_send_condition(tx, account.id, account.credential_generation, condition, cause).await
}

async fn need_person(
    tx: &Tx,
    metadata: &EventMetadata,
    account: &Account,
    cause: &str,
) -> Result<Option<Event>, StoreError> {
    let who_can_act = WhoCanAct::User;
    let change = StateChange {
        account_id: account.id,
        credential_generation: Some(account.credential_generation),
        from: &[
            AccountState::Connecting,
            AccountState::Syncing,
            AccountState::Connected,
            AccountState::Unreachable,
        ],
        to: AccountState::NeedsReauthorization,
        cause: Some(cause),
        who_can_act,
    };
    let changed = accounts::change_state(tx, metadata, change).await?;
    Ok(changed.then(|| {
        ReauthorizationRequired {
            account_id: account.id,
            credential_generation: account.credential_generation,
            token_version: None,
            cause: cause.to_owned(),
            who_can_act,
        }
        .into()
    }))
}
