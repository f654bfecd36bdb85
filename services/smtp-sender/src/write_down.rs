//! The end of an attempt on disk: rows, events, the account's state and the wish for a copy in Sent, in one transaction.

use postroom_events::EventEnvelope;
use postroom_providers::SentCopy;
use postroom_retry::{Jitter, policies};
use postroom_store::{
    StoreError, Tx, events,
    sent_copies::{self, SentCopyState},
    submissions::{self, Attempt, Ending, Written},
    work::{self, NewWork, WorkKind},
};
use postroom_telemetry::names;

use crate::{attempt::Order, conclude::Conclusion, consequence::Consequence, sender::Sender};

impl Sender {
    /// Writes it down, again and again until it is on disk: what a server has accepted must not be forgotten because the
    /// database was away for a moment. Gives the events that were written.
    ///
    /// # Errors
    /// [`StoreError::Outdated`] when the submission has moved past the attempt.
    pub(crate) async fn write_down(
        &self,
        order: &Order,
        attempt: &Attempt,
        conclusion: &Conclusion,
        consequence: Option<Consequence>,
    ) -> Result<Vec<EventEnvelope>, StoreError> {
        let mut failures = 0_u32;
        loop {
            match self.try_to_write(order, attempt, conclusion, consequence).await {
                Ok(written) => {
                    self.count(order, conclusion);
                    return Ok(written);
                }
                Err(error @ (StoreError::Outdated { .. } | StoreError::NotFound { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%error, failures, "What became of a mail could not be written down; trying again");
                    failures = failures.saturating_add(1);
                    let wait = policies::INFRASTRUCTURE.next_delay(failures, Jitter::random());
                    tokio::time::sleep(wait.unwrap_or(policies::INFRASTRUCTURE.max_interval)).await;
                }
            }
        }
    }

    async fn try_to_write(
        &self,
        order: &Order,
        attempt: &Attempt,
        conclusion: &Conclusion,
        consequence: Option<Consequence>,
    ) -> Result<Vec<EventEnvelope>, StoreError> {
        let tx = self.store.begin("submission.finish").await?;
        let written = self
            .conclude_in(&tx, order, attempt, conclusion, consequence)
            .await?;
        tx.commit().await?;
        Ok(written)
    }

    /// As part of a transaction.
    pub(crate) async fn conclude_in(
        &self,
        tx: &Tx,
        order: &Order,
        attempt: &Attempt,
        conclusion: &Conclusion,
        consequence: Option<Consequence>,
    ) -> Result<Vec<EventEnvelope>, StoreError> {
        if submissions::finish_attempt(tx, attempt, &conclusion.ending).await? == Written::Before {
            return Ok(Vec::new());
        }
        let mut written = events::append(tx, &order.metadata, conclusion.events.clone()).await?;
        if let Some(consequence) = consequence {
            written.extend(consequence.apply(tx, &order.metadata, &order.account).await?);
        }
        if conclusion.concerns_sent_copy {
            self.see_to_sent_copy(tx, order, conclusion).await?;
        }
        Ok(written)
    }

    /// Only the holder of the account's lease may look into its Sent folder. Where the server keeps the copy itself there
    /// is nothing to do, unless being there is the only thing that can tell whether the mail was sent.
    async fn see_to_sent_copy(
        &self,
        tx: &Tx,
        order: &Order,
        conclusion: &Conclusion,
    ) -> Result<(), StoreError> {
        let by_server = self
            .provider(&order.account)
            .is_some_and(|provider| provider.sent_saved_by_server == SentCopy::Yes);
        if by_server && conclusion.ending.outcome != "uncertain" {
            return sent_copies::note(tx, order.submission_id, SentCopyState::ByServer).await;
        }
        let new = NewWork {
            account_id: order.account.id,
            kind: WorkKind::SentCopy {
                submission_id: order.submission_id,
            },
            cause_event_id: Some(order.event_id),
            correlation_id: order.metadata.correlation_id,
            due_at: self.now(),
        };
        work::add(tx, new).await?;
        Ok(())
    }

    /// Gives a claim back as if nothing had been tried.
    pub(crate) async fn take_back(&self, attempt: &Attempt, ending: &Ending) {
        let taken_back = async {
            let tx = self.store.begin("submission.release").await?;
            submissions::finish_attempt(&tx, attempt, ending).await?;
            tx.commit().await
        };
        if let Err(error) = taken_back.await {
            tracing::info!(%error, "A claim could not be given back; it ends by itself");
        }
    }

    /// For metrics and the log.
    pub(crate) fn count(&self, order: &Order, conclusion: &Conclusion) {
        let outcome = conclusion.ending.outcome;
        metrics::counter!(names::SEND_ATTEMPTS, "outcome" => outcome).increment(1);
        if outcome == "sent" {
            let took = (self.now() - order.requested_at).to_std().unwrap_or_default();
            metrics::histogram!(names::SEND_SECONDS).record(took.as_secs_f64());
        }
        tracing::info!(
            outcome,
            cause = conclusion.ending.cause.as_deref(),
            "An attempt to send ended"
        );
    }
}
