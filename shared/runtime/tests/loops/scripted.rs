//! A handler that does what a test tells it to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use postroom_events::{AccountState, AccountStateChanged, Consumer, Event, WhoCanAct};
use postroom_runtime::{HandledEvent, Handler, HandlerError, Verdict};
use postroom_store::Tx;
use postroom_test_support::eventually;
use tokio::time::Instant;

use crate::world::PATIENCE;

pub(crate) const CONSUMER: Consumer = Consumer::ImapFetcher;

/// What to do with one event; without a script, it causes an event and is done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Script {
    /// Causes an event, and asks to come again at the first attempts.
    RetryAfter(Duration, u32),
    /// Causes an event, which is taken back, and fails in a way that may pass.
    FailsForNow,
    /// Causes an event, which is taken back, and fails for good.
    FailsForGood,
    /// Panics at the first attempt.
    Panics,
    /// Fails outside at the first attempt.
    FailsOutside,
    /// Never comes back from outside at the first attempt.
    HangsOutside,
    /// Takes so long inside the transaction.
    Slow(Duration),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scripted {
    scripts: HashMap<i64, Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A call of `apply`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) number: i64,
    pub(crate) attempt: u32,
    pub(crate) at: Instant,
    /// What `act` gave.
    pub(crate) acted: i64,
}

impl Scripted {
    pub(crate) fn new(scripts: impl IntoIterator<Item = (i64, Script)>) -> Self {
        Self {
            scripts: scripts.into_iter().collect(),
            seen: Arc::default(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// The events that were applied, and at which attempt.
    pub(crate) fn applied(&self) -> Vec<(i64, u32)> {
        self.seen()
            .iter()
            .map(|seen| (seen.number, seen.attempt))
            .collect()
    }

    pub(crate) async fn has_seen(&self, number: i64, attempt: u32) {
        let what = format!("event {number} at attempt {attempt}");
        eventually(PATIENCE, &what, || async {
            self.applied().contains(&(number, attempt))
        })
        .await;
    }
}

fn number(delivery: &HandledEvent) -> i64 {
    match &delivery.event {
        Event::AccountConnected(event) => event.credential_generation,
        other => panic!("{other:?} was not asked for"),
    }
}

fn caused(delivery: &HandledEvent) -> Vec<Event> {
    let changed = AccountStateChanged {
        account_id: delivery.envelope.subject.into(),
        from: AccountState::Connecting,
        to: AccountState::Syncing,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    vec![changed.into()]
}

#[async_trait]
impl Handler for Scripted {
    type Acted = i64;

    fn consumer(&self) -> Consumer {
        CONSUMER
    }

    async fn act(&self, delivery: &HandledEvent) -> Result<i64, HandlerError> {
        let number = number(delivery);
        match self.scripts.get(&number) {
            Some(Script::FailsOutside) if delivery.attempt == 1 => {
                delivery.answered("test.call", "transient", Some("421"));
                Err(HandlerError::retry_after(
                    "the server is busy",
                    Duration::from_millis(1500),
                ))
            }
            Some(Script::HangsOutside) if delivery.attempt == 1 => std::future::pending().await,
            _ => {
                delivery.answered("test.call", "accepted", Some("250"));
                Ok(number + 1000)
            }
        }
    }

    async fn apply(&self, tx: &Tx, delivery: &HandledEvent, acted: &i64) -> Result<Verdict, HandlerError> {
        let (number, attempt) = (number(delivery), delivery.attempt);
        self.seen.lock().unwrap().push(Seen {
            number,
            attempt,
            at: Instant::now(),
            acted: *acted,
        });
        delivery.append(tx, caused(delivery)).await?;
        match self.scripts.get(&number) {
            Some(Script::RetryAfter(wait, times)) if attempt <= *times => Ok(Verdict::RetryAt(
                tx.store().clock().now() + *wait,
                "not yet".to_owned(),
            )),
            Some(Script::FailsForNow) => Err(HandlerError::retry("the weather is bad")),
            Some(Script::FailsForGood) => Err(HandlerError::fail("there is no such thing")),
            Some(Script::Panics) if attempt == 1 => panic!("on purpose"),
            Some(Script::Slow(time)) => {
                tokio::time::sleep(*time).await;
                Ok(Verdict::Done)
            }
            _ => Ok(Verdict::Done),
        }
    }
}
