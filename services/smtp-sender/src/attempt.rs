//! One attempt: begin, act, finish.

use chrono::{DateTime, Utc};
use postroom_events::{EventEnvelope, EventId, EventMetadata, SubmissionId};
use postroom_retry::clock;
use postroom_store::{
    Account, StoreError, SubmissionRecipient,
    submissions::{self, Begun, Started, Waiting},
};

use crate::{
    conclude::{self, Conclusion, Subject, conclude},
    consequence::Consequence,
    fate::{Fate, Refusal, Said},
    hand_over::{HandOver, Handed},
    lanes::{Later, Turn},
    sender::Sender,
    way_in::NotIn,
};

/// What is to be sent, and who asks for it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) submission_id: SubmissionId,
    pub(crate) requested_at: DateTime<Utc>,
    /// As it was a moment ago.
    pub(crate) account: Account,
    pub(crate) event_id: EventId,
    pub(crate) metadata: EventMetadata,
}

/// What an attempt came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// When the event comes again; `None`: never, it is finished.
    pub(crate) comes_again: Option<DateTime<Utc>>,
    /// Why, where the row does not say so yet.
    pub(crate) note: Option<Waiting>,
    /// Events that were written.
    pub(crate) caused: Vec<EventEnvelope>,
    /// The attempt in one word, and the server's code.
    pub(crate) answer: Option<(&'static str, Option<u16>)>,
}

impl Report {
    pub(crate) fn at(comes_again: DateTime<Utc>) -> Self {
        Self {
            comes_again: Some(comes_again),
            ..Self::default()
        }
    }

    /// No attempt was made.
    pub(crate) fn later(now: DateTime<Utc>, later: Later) -> Self {
        let until = clock::plus(now, later.wait);
        Self {
            comes_again: Some(until),
            note: Some(Waiting {
                until,
                cause: later.cause.to_owned(),
                words: later.words,
            }),
            ..Self::default()
        }
    }

    fn ended(conclusion: &Conclusion, caused: Vec<EventEnvelope>) -> Self {
        let code = conclusion
            .ending
            .recipients
            .iter()
            .find_map(|result| result.smtp_code);
        Self {
            comes_again: conclusion.ending.next_attempt_at,
            note: None,
            caused,
            answer: Some((conclusion.ending.outcome, code)),
        }
    }
}

impl Sender {
    /// Makes one attempt, with the turn to use a connection.
    ///
    /// # Errors
    /// When the database refuses before anything was tried.
    #[tracing::instrument(
        name = "send.attempt",
        skip_all,
        fields(submission.id = %order.submission_id, account.id = %order.account.id)
    )]
    pub(crate) async fn attempt(&self, order: &Order, turn: &Turn) -> Result<Report, StoreError> {
        let credential = match self.credential(&order.account, &turn.lane).await? {
            Ok(credential) => credential,
            Err(cause) => return Ok(Report::later(self.now(), self.later(order, cause))),
        };
        let since = self.monotonic();
        let tx = self.store.begin("submission.begin").await?;
        let hold = self.settings.claim;
        let begun =
            submissions::begin_attempt(&tx, order.submission_id, order.event_id, self.worker_id, hold);
        let started = match begun.await? {
            Begun::Started(started) => started,
            Begun::AlreadyFinished => return Ok(Report::default()),
            Begun::NotDue(at) | Begun::InProgress(at) => return Ok(Report::at(at)),
            Begun::LeftUncertain(_) => return Ok(Report::at(self.now())), // another look sees it
        };
        tx.commit().await?;
        let claim = self.claims.hold(started.attempt, since);
        let handing = HandOver::new(self, &turn.lane, &credential, &started, &claim);
        let handed = Box::pin(handing.run()).await;
        Ok(self.finish(order, &started, handed).await)
    }

    /// Nothing can be tried until somebody else has done something, which is announced.
    fn later(&self, order: &Order, cause: &'static str) -> Later {
        Later {
            wait: self.settings.look_again_after(self.now() - order.requested_at),
            cause,
            words: None,
        }
    }

    async fn finish(&self, order: &Order, started: &Started, handed: Handed) -> Report {
        let (fates, consequence) = match handed {
            Handed::Over(fates) => (fates, Some(Consequence::SendingWorks)),
            Handed::Not(NotIn { refusal, consequence }) => (same_for_all(started, &refusal), consequence),
            Handed::GivenUp(reason) => {
                let now = self.now();
                tracing::info!(
                    reason,
                    "A mail was given up before its end was sent; it is tried again"
                );
                self.take_back(&started.attempt, &conclude::release(started, now))
                    .await;
                return Report::at(now);
            }
            Handed::Outdated => {
                tracing::warn!("A mail was taken over by another worker before its end was sent");
                return Report::at(self.now());
            }
        };
        let conclusion = self.conclude(started, &fates);
        let written = self
            .write_down(order, &started.attempt, &conclusion, consequence)
            .await;
        match written {
            Ok(caused) => Report::ended(&conclusion, caused),
            Err(error) => {
                let outcome = conclusion.ending.outcome;
                tracing::warn!(%error, outcome, "A mail was taken over by another worker before its answer came");
                Report::at(self.now())
            }
        }
    }

    /// Ends a submission that is not tried (any more).
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn give_up(&self, order: &Order, cause: &'static str) -> Result<Report, StoreError> {
        let tx = self.store.begin("submission.give_up").await?;
        let (id, hold) = (order.submission_id, self.settings.claim);
        let begun = submissions::begin_attempt(&tx, id, order.event_id, self.worker_id, hold).await?;
        let Begun::Started(started) = begun else {
            return Ok(Report::at(self.now())); // somebody was quicker; another look will tell
        };
        let open = started.recipients.iter().filter(|row| conclude::is_open(row));
        let fates: Vec<_> = open
            .map(|row| Fate::Refused(Refusal::for_good(cause, last_words(cause, &started, row))))
            .collect();
        let conclusion = self.conclude(&started, &fates);
        let caused = self
            .conclude_in(&tx, order, &started.attempt, &conclusion, None)
            .await?;
        tx.commit().await?;
        self.count(order, &conclusion);
        Ok(Report::ended(&conclusion, caused))
    }

    /// Ends a submission whose worker is gone, and of which nobody can say any more whether it was sent.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn settle_uncertain(&self, order: &Order) -> Result<Report, StoreError> {
        let tx = self.store.begin("submission.settle_uncertain").await?;
        let (id, hold) = (order.submission_id, self.settings.claim);
        let begun = submissions::begin_attempt(&tx, id, order.event_id, self.worker_id, hold).await?;
        let Begun::LeftUncertain(started) = begun else {
            return Ok(Report::at(self.now())); // it was not so after all; another look will tell
        };
        let open = started.recipients.iter().filter(|row| conclude::is_open(row));
        let conclusion = self.conclude(&started, &open.map(Fate::left_behind).collect::<Vec<_>>());
        let caused = self
            .conclude_in(&tx, order, &started.attempt, &conclusion, None)
            .await?;
        tx.commit().await?;
        self.count(order, &conclusion);
        Ok(Report::ended(&conclusion, caused))
    }

    fn conclude(&self, started: &Started, fates: &[Fate]) -> Conclusion {
        let subject = Subject {
            started,
            now: self.now(),
            policy: &self.settings.deferred,
        };
        conclude(subject, fates)
    }
}

fn same_for_all(started: &Started, refusal: &Refusal) -> Vec<Fate> {
    let open = started.recipients.iter().filter(|row| conclude::is_open(row));
    open.map(|_| Fate::Refused(refusal.clone())).collect()
}

/// Why a recipient got nothing: what was said last about it, or about the mail as a whole.
fn last_words(cause: &str, started: &Started, row: &SubmissionRecipient) -> Said {
    if cause == "account_disconnected" {
        return Said::sentence("The account was disconnected before the mail was sent.");
    }
    let of_all = started.submission.server_reply.as_deref();
    match row.server_reply {
        Some(_) => Said::in_row(row),
        None => Said::sentence(of_all.unwrap_or("The time in which the mail was to be sent is over.")),
    }
}
