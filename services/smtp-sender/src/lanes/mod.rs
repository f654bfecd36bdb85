//! Each account's way out: a few connections, kept open between mails, and a fair turn for everybody who waits.
//!
//! An account whose server is slow, away or hanging fills its own lane and no other: whoever cannot expect a turn soon is
//! sent away with the time at which to come again.

mod book;
mod kept;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use postroom_events::AccountId;
use postroom_mail::smtp::SmtpSession;
use postroom_retry::Clock;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{book::Book, kept::Kept};
pub(crate) use self::{
    book::{Later, Trouble},
    kept::{KeptSession, SignedInAs},
};
use crate::{SenderSettings, refused::RefusedTokens};

/// How long saying good-bye to all servers may take when the process stops.
const GOOD_BYE: Duration = Duration::from_secs(1);

/// The lanes of this process.
#[derive(Debug)]
pub(crate) struct Lanes {
    clock: Arc<dyn Clock>,
    settings: SenderSettings,
    connections: Arc<Semaphore>,
    lanes: Mutex<HashMap<AccountId, Arc<Lane>>>,
}

impl Lanes {
    pub(crate) fn new(clock: Arc<dyn Clock>, settings: SenderSettings) -> Self {
        Self {
            clock,
            settings,
            connections: Arc::new(Semaphore::new(settings.connections.max(1))),
            lanes: Mutex::default(),
        }
    }

    /// Waits for a turn in an account's lane, if one can be expected soon.
    pub(crate) async fn enter(&self, account_id: AccountId, connections: u32) -> Result<Turn, Later> {
        let lane = Arc::clone(locked(&self.lanes).entry(account_id).or_insert_with(|| {
            Arc::new(Lane {
                clock: Arc::clone(&self.clock),
                connections: Arc::new(Semaphore::new(connections.max(1) as usize)),
                book: Mutex::new(Book::new(connections.max(1))),
                kept: Mutex::default(),
                refused: Mutex::default(),
            })
        }));
        let patience = self.settings.patience;
        lane.book().may_wait(self.clock.monotonic(), patience)?;
        let waiting = Waiting::new(&lane);
        let both = async {
            let own = Arc::clone(&lane.connections).acquire_owned().await;
            let shared = Arc::clone(&self.connections).acquire_owned().await;
            own.ok().zip(shared.ok()) // neither is ever closed
        };
        let permits = timeout(patience, both).await.ok().flatten();
        drop(waiting);
        let now = self.clock.monotonic();
        let Some(permits) = permits else {
            return Err(lane.book().later(now, now + patience));
        };
        lane.book().begin(now)?;
        Ok(Turn {
            lane,
            began: now,
            _permits: permits,
        })
    }

    /// Forgets what is known of the way in of an account: it is another one now, or there is none any more.
    pub(crate) async fn forget(&self, account_id: AccountId) {
        let lane = locked(&self.lanes).get(&account_id).cloned();
        if let Some(lane) = lane {
            lane.calm();
            let kept = locked(&lane.kept).take_all();
            good_bye(kept).await;
        }
    }

    /// Ends what only had to be waited for until a new token came.
    pub(crate) fn calm(&self, account_id: AccountId) {
        if let Some(lane) = locked(&self.lanes).get(&account_id) {
            lane.calm();
        }
    }

    /// Closes connections that nobody needs any more, again and again, until `done` is cancelled; then all of them.
    pub(crate) async fn sweep(&self, done: CancellationToken) {
        let every = (self.settings.idle / 4).clamp(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            tokio::select! {
                () = done.cancelled() => break,
                () = tokio::time::sleep(every) => {}
            }
            let stale = self.take_stale();
            if !stale.is_empty() {
                good_bye(stale).await;
            }
        }
        let lanes: Vec<_> = locked(&self.lanes).drain().map(|(_, lane)| lane).collect();
        let all = lanes.iter().flat_map(|lane| locked(&lane.kept).take_all());
        let _in_time = timeout(GOOD_BYE, good_bye(all.collect())).await;
    }

    /// Connections that nobody needs any more; and forgets lanes in which nothing is going on.
    fn take_stale(&self) -> Vec<SmtpSession> {
        let now = self.clock.monotonic();
        let mut stale = Vec::new();
        locked(&self.lanes).retain(|_, lane| {
            let mut kept = locked(&lane.kept);
            stale.extend(kept.take_stale(now, &self.settings));
            let in_use = Arc::strong_count(lane) > 1 || !kept.is_empty();
            in_use || lane.book().has_news(now) || lane.refused().is_news(now)
        });
        stale
    }
}

async fn good_bye(sessions: Vec<SmtpSession>) {
    futures::future::join_all(sessions.into_iter().map(|session| Box::pin(session.quit()))).await;
}

/// An account's way out.
#[derive(Debug)]
pub(crate) struct Lane {
    clock: Arc<dyn Clock>,
    connections: Arc<Semaphore>,
    book: Mutex<Book>,
    kept: Mutex<Kept>,
    refused: Mutex<RefusedTokens>,
}

impl Lane {
    fn book(&self) -> MutexGuard<'_, Book> {
        locked(&self.book)
    }

    /// Which tokens were refused lately.
    pub(crate) fn refused(&self) -> MutexGuard<'_, RefusedTokens> {
        locked(&self.refused)
    }

    /// An open connection that somebody has left behind and that still fits.
    pub(crate) fn take_kept(&self, as_whom: &SignedInAs, settings: &SenderSettings) -> Option<KeptSession> {
        locked(&self.kept).take(self.clock.monotonic(), as_whom, settings)
    }

    /// Leaves a connection for the next one, if it is still of use.
    pub(crate) fn keep(&self, session: KeptSession) {
        locked(&self.kept).put(self.clock.monotonic(), session);
    }

    /// Nobody needs to try for a while: `for_how_long` is asked with the number of failures in a row.
    pub(crate) fn is_in_trouble(&self, trouble: impl FnOnce(u32, Instant) -> Trouble) {
        let now = self.clock.monotonic();
        self.book().trouble(|failures| trouble(failures, now));
    }

    /// All is well: we are signed in.
    pub(crate) fn is_well(&self) {
        self.calm();
        *self.refused() = RefusedTokens::default();
    }

    fn calm(&self) {
        self.book().calm();
    }
}

/// Somebody waits for a turn.
struct Waiting<'l>(&'l Lane);

impl<'l> Waiting<'l> {
    fn new(lane: &'l Lane) -> Self {
        lane.book().waiting += 1;
        Self(lane)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.book().waiting -= 1;
    }
}

/// The right to use one connection of an account, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) lane: Arc<Lane>,
    began: Instant,
    _permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.lane.clock.monotonic();
        self.lane.book().end(self.began, now);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
