//! smtp-sender's events: mails to send, and what ends the wait of others.

use std::{ops::Deref, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use postroom_events::{AccountId, Consumer, Event, GrantId, SendRequested};
use postroom_runtime::{HandledEvent, Handler, HandlerError, Verdict};
use postroom_store::{
    StoreError, Tx, accounts,
    submissions::{self, Waiting},
};
use tokio::{sync::oneshot, time::timeout};
use tracing::Instrument;

use crate::{
    attempt::{Order, Report},
    glance::{Glance, PAUSED, WAITS_FOR_WAY_IN, glance},
    lanes::Turn,
    sender::Sender,
};

/// No event comes again sooner: clocks differ.
const SOONEST: Duration = Duration::from_secs(1);
/// When an event comes again that met a fault of the database.
const AFTER_A_FAULT: Duration = Duration::from_secs(3);

/// Handles the events of smtp-sender.
#[derive(Debug, Clone)]
pub(crate) struct SendingEvents(pub(crate) Arc<Sender>);

impl Deref for SendingEvents {
    type Target = Sender;

    fn deref(&self) -> &Sender {
        &self.0
    }
}

/// What was found out about a mail that is to be sent.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// When the event comes again, and why.
    again: Option<(DateTime<Utc>, String)>,
    /// What the row is to say about it.
    note: Option<Waiting>,
}

impl Acted {
    fn again(at: DateTime<Utc>, reason: impl Into<String>) -> Self {
        Self {
            again: Some((at, reason.into())),
            note: None,
        }
    }
}

#[async_trait]
impl Handler for SendingEvents {
    type Acted = Acted;

    fn consumer(&self) -> Consumer {
        Consumer::SmtpSender
    }

    async fn act(&self, delivery: &HandledEvent) -> Result<Acted, HandlerError> {
        match &delivery.event {
            Event::SendRequested(event) => Ok(self.send(delivery, event).await),
            Event::AuthenticationMethodChanged(event) => {
                self.lanes.forget(event.account_id).await;
                Ok(Acted::default())
            }
            Event::AccountDisconnected(event) => {
                self.lanes.forget(event.account_id).await;
                Ok(Acted::default())
            }
            Event::TokenRefreshed(event) => {
                for account in accounts::of_grant(self.store.read(), event.grant_id).await? {
                    self.lanes.calm(account.id);
                }
                Ok(Acted::default())
            }
            _ => Ok(Acted::default()),
        }
    }

    async fn apply(&self, tx: &Tx, delivery: &HandledEvent, acted: &Acted) -> Result<Verdict, HandlerError> {
        match &delivery.event {
            Event::SendRequested(event) => {
                if let Some(waiting) = &acted.note {
                    submissions::put_off(tx, event.submission_id, delivery.envelope.id, waiting).await?;
                }
                return Ok(match &acted.again {
                    Some((at, reason)) => Verdict::RetryAt(*at, reason.clone()),
                    None => Verdict::Done,
                });
            }
            Event::AuthenticationMethodChanged(event) => {
                due_now(tx, event.account_id, WAITS_FOR_WAY_IN).await?;
            }
            Event::AccountSettingsChanged(event) if !event.paused => {
                due_now(tx, event.account_id, &[PAUSED]).await?;
            }
            Event::TokenRefreshed(event) => self.token_is_new(tx, event.grant_id).await?,
            Event::AccountDisconnected(event) => {
                // All that wait are looked at once more, and end.
                submissions::bring_forward(tx, event.account_id, None).await?;
            }
            other => tracing::debug!(event.r#type = other.event_type(), "There is nothing to do for it"),
        }
        Ok(Verdict::Done)
    }
}

impl SendingEvents {
    async fn token_is_new(&self, tx: &Tx, grant_id: GrantId) -> Result<(), StoreError> {
        for account in accounts::of_grant(tx.db(), grant_id).await? {
            due_now(tx, account.id, WAITS_FOR_WAY_IN).await?;
        }
        Ok(())
    }

    async fn send(&self, delivery: &HandledEvent, event: &SendRequested) -> Acted {
        match self.try_to_send(delivery, event).await {
            Ok(acted) => acted,
            Err(error) => Acted::again(self.now() + AFTER_A_FAULT, error.to_string()),
        }
    }

    async fn try_to_send(&self, delivery: &HandledEvent, event: &SendRequested) -> Result<Acted, StoreError> {
        let db = self.store.read();
        let submission = if_there(submissions::find(db, event.submission_id).await)?;
        let account = if_there(accounts::find(db, event.account_id).await)?;
        let (Some(submission), Some(account)) = (submission, account) else {
            tracing::info!(submission.id = %event.submission_id, "The submission is gone; nothing is sent");
            return Ok(Acted::default());
        };
        if submission.account_id != account.id {
            tracing::warn!(submission.id = %submission.id, "The event names another account's submission; nothing is sent");
            return Ok(Acted::default());
        }
        if self.claims.are_held_for(submission.id) {
            return Ok(self.heed(delivery, Report::at(self.now() + self.settings.claim)));
        }
        let seen = glance(&submission, &account, self.now(), &self.settings);
        let order = Order {
            submission_id: submission.id,
            requested_at: submission.created_at,
            account,
            event_id: delivery.envelope.id,
            metadata: delivery.metadata(),
        };
        let report = match seen {
            Glance::Finished => Report::default(),
            Glance::Wait(at) => Report::at(at),
            Glance::WaitFor(waiting) => Report {
                comes_again: Some(waiting.until),
                note: Some(waiting),
                ..Report::default()
            },
            Glance::GiveUp(cause) => self.give_up(&order, cause).await?,
            Glance::SettleUncertain => self.settle_uncertain(&order).await?,
            Glance::Try => self.take_a_turn(order).await?,
        };
        Ok(self.heed(delivery, report))
    }

    /// Waits for a turn, and for the attempt; but not for ever: it is a task of its own, and goes on when nobody waits.
    async fn take_a_turn(&self, order: Order) -> Result<Report, StoreError> {
        let connections = self
            .provider(&order.account)
            .map_or(1, |provider| provider.budget.smtp_connections);
        let turn = match self.lanes.enter(order.account.id, connections).await {
            Ok(turn) => turn,
            Err(later) => return Ok(Report::later(self.now(), later)),
        };
        let (sender, receiver) = oneshot::channel();
        let attempt = attempt_alone(Arc::clone(&self.0), order, turn, sender);
        self.tasks.spawn(attempt.in_current_span());
        match timeout(self.settings.patience, receiver).await {
            Ok(Ok(report)) => report,
            // It crashed, and its claim ends by itself; or it goes on, and this event comes back to see that it has ended.
            Ok(Err(_)) | Err(_) => Ok(Report::at(self.now() + self.settings.claim)),
        }
    }

    /// From a report to what is written down for the event.
    fn heed(&self, delivery: &HandledEvent, report: Report) -> Acted {
        delivery.has_caused(&report.caused);
        if let Some((class, code)) = report.answer {
            let code = code.map(|code| code.to_string());
            delivery.answered("smtp.submit", class, code.as_deref());
        }
        let soonest = self.now() + SOONEST;
        Acted {
            again: report.comes_again.map(|at| {
                let reason = match &report.note {
                    Some(waiting) => format!("The mail waits: {}.", waiting.cause),
                    None => "The mail is not finished.".to_owned(),
                };
                (at.max(soonest), reason)
            }),
            note: report.note,
        }
    }
}

/// What an account's mails waited for has ended.
async fn due_now(tx: &Tx, account_id: AccountId, causes: &[&str]) -> Result<(), StoreError> {
    let due = submissions::bring_forward(tx, account_id, Some(causes)).await?;
    if due > 0 {
        tracing::info!(account.id = %account_id, due, "Mails that waited for this are tried now");
    }
    Ok(())
}

fn if_there<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn attempt_alone(
    sender: Arc<Sender>,
    order: Order,
    turn: Turn,
    done: oneshot::Sender<Result<Report, StoreError>>,
) {
    let report = Box::pin(sender.attempt(&order, &turn)).await;
    drop(turn);
    // Nobody listens any more when it took long.
    let _ = done.send(report);
}
