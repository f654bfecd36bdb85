//! token-refresher's events: which use case each of them is.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use postroom_events::{Consumer, Event};
use postroom_runtime::{HandledEvent, Handler, HandlerError, Verdict};
use postroom_store::Tx;

use crate::{
    Refresher, connected,
    reauthorization::{self, DeadGrant},
    refresh::{self, FailedRefresh},
    release::{self, Release},
};

/// What was done outside, and is to be written down.
#[derive(Debug, Default)]
pub(crate) enum Acted {
    /// There was nothing to do outside, or it is written down already.
    #[default]
    Nothing,
    /// An earlier delivery of this event is still at it, or died of it: its time has to run out.
    WaitUntil(DateTime<Utc>),
    /// No tokens were to be had for now.
    Failed(FailedRefresh),
    /// No tokens will be had until somebody signs in again.
    Dead(DeadGrant),
    /// A credential is to be erased, and its grant, if nobody else uses it, was given back or not.
    Release(Box<Release>),
}

/// Handles the events of token-refresher.
#[derive(Debug, Clone)]
pub(crate) struct TokenEvents {
    refresher: Refresher,
}

impl TokenEvents {
    pub(crate) fn new(refresher: Refresher) -> Self {
        Self { refresher }
    }
}

#[async_trait]
impl Handler for TokenEvents {
    type Acted = Acted;

    fn consumer(&self) -> Consumer {
        Consumer::TokenRefresher
    }

    async fn act(&self, delivery: &HandledEvent) -> Result<Acted, HandlerError> {
        match &delivery.event {
            Event::TokenExpiring(event) => {
                refresh::act(&self.refresher, delivery, event.grant_id, event.token_version).await
            }
            Event::TokenRejected(event) => {
                refresh::act(&self.refresher, delivery, event.grant_id, event.token_version).await
            }
            Event::AccountDisconnected(event) => {
                release::act_on_disconnected(&self.refresher, delivery, event.account_id).await
            }
            Event::AuthenticationMethodChanged(event) => match event.previous_credential_id {
                Some(previous) => release::act_on_replaced(&self.refresher, delivery, previous).await,
                None => Ok(Acted::Nothing),
            },
            _ => Ok(Acted::Nothing),
        }
    }

    async fn apply(&self, tx: &Tx, delivery: &HandledEvent, acted: &Acted) -> Result<Verdict, HandlerError> {
        let new_grant = match &delivery.event {
            Event::AccountConnected(event) => event.grant_id,
            Event::AuthenticationMethodChanged(event) => event.grant_id,
            _ => None,
        };
        if let Some(grant_id) = new_grant {
            connected::plan_refresh(&self.refresher, tx, delivery.envelope.tenant_id, grant_id).await?;
        }
        match acted {
            Acted::Nothing => Ok(Verdict::Done),
            Acted::WaitUntil(until) => Ok(Verdict::RetryAt(
                *until,
                "An earlier try of this refresh has not ended; its time has to run out first.".into(),
            )),
            Acted::Failed(failed) => refresh::apply_failed(tx, delivery, failed).await,
            Acted::Dead(dead) => reauthorization::apply(tx, delivery, dead).await,
            Acted::Release(release) => release::apply(tx, delivery, release).await,
        }
    }
}
