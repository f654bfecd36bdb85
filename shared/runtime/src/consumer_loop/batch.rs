//! The one transaction of a batch.

use postroom_retry::RetryPolicy;
use postroom_store::{
    Store, StoreError, Tx,
    dead_letters::{self, NewDeadLetter},
    handled::{self, NewOutcome},
    retries::{self, Retry},
};
use tracing::Instrument;

use super::{
    Handler, HandlerError, Verdict,
    conclusion::{self, Conclusion},
    job::{Job, Work, guard},
};

/// Applies a batch and commits it, with all that is to be remembered of it. May be called again for the same jobs.
///
/// First without savepoints, because mostly nothing fails and each costs two rounds to the database; if an event fails,
/// all is taken back and done again with a savepoint for each, so that none takes its neighbours back.
///
/// # Errors
/// When the database refuses, or another worker has handled one of the events in the meantime. Then it is not known
/// whether anything is on disk.
pub(super) async fn commit<H: Handler>(
    store: &Store,
    handler: &H,
    policy: &RetryPolicy,
    jobs: &[Job<H::Acted>],
) -> Result<Vec<Conclusion>, StoreError> {
    if jobs.len() > 1
        && let Some(conclusions) = commit_as_one(store, handler, policy, jobs).await?
    {
        return Ok(conclusions);
    }
    let tx = store.begin("consumer.batch").await?;
    let mut conclusions = Vec::with_capacity(jobs.len());
    for job in jobs {
        conclusions.push(apply_apart(&tx, handler, policy, job).await?);
    }
    remember(&tx, handler, jobs, &conclusions).await?;
    tx.commit().await?;
    Ok(conclusions)
}

/// Commits a batch in which nothing fails. `None`: something did, and nothing was committed.
async fn commit_as_one<H: Handler>(
    store: &Store,
    handler: &H,
    policy: &RetryPolicy,
    jobs: &[Job<H::Acted>],
) -> Result<Option<Vec<Conclusion>>, StoreError> {
    let tx = store.begin("consumer.batch").await?;
    let mut conclusions = Vec::with_capacity(jobs.len());
    for job in jobs {
        conclusions.push(match apply(&tx, handler, job).await {
            Ok(verdict) => verdict.into(),
            Err(Unapplied::Before(error)) => {
                conclusion::of_error(&tx, handler.consumer(), policy, job, error).await?
            }
            Err(Unapplied::Within(_)) => return Ok(None),
        });
    }
    remember(&tx, handler, jobs, &conclusions).await?;
    tx.commit().await?;
    Ok(Some(conclusions))
}

/// Applies one event in a savepoint of its own.
async fn apply_apart<H: Handler>(
    tx: &Tx,
    handler: &H,
    policy: &RetryPolicy,
    job: &Job<H::Acted>,
) -> Result<Conclusion, StoreError> {
    let savepoint = tx.savepoint().await?;
    let error = match apply(&savepoint, handler, job).await {
        Ok(verdict) => {
            savepoint.commit().await?;
            return Ok(verdict.into());
        }
        Err(error) => error,
    };
    drop(savepoint); // takes back what it holds, and nothing of its neighbours
    let error = match &error {
        Unapplied::Before(error) => error,
        Unapplied::Within(error) => error,
    };
    conclusion::of_error(tx, handler.consumer(), policy, job, error).await
}

/// Why an event was not applied.
enum Unapplied<'a> {
    /// It never came to that: it cannot be read, or its handler could not act.
    Before(&'a HandlerError),
    /// The handler failed, and has perhaps written something.
    Within(HandlerError),
}

/// Lets the handler write down one event.
async fn apply<'a, H: Handler>(
    tx: &Tx,
    handler: &H,
    job: &'a Job<H::Acted>,
) -> Result<Verdict, Unapplied<'a>> {
    let (delivery, acted) = match &job.work {
        Work::Acted(delivery, Ok(acted)) => (delivery, acted),
        Work::Acted(_, Err(error)) | Work::Unreadable(_, error) => return Err(Unapplied::Before(error)),
    };
    delivery.caused_nothing(); // by an earlier run that was taken back
    let applied = guard(handler.apply(tx, delivery, acted))
        .instrument(job.span.clone())
        .await;
    applied.map_err(|error| {
        delivery.caused_nothing();
        Unapplied::Within(error)
    })
}

/// Writes down what was handled, how, what comes again, and what was given up.
async fn remember<H: Handler>(
    tx: &Tx,
    handler: &H,
    jobs: &[Job<H::Acted>],
    conclusions: &[Conclusion],
) -> Result<(), StoreError> {
    let consumer = handler.consumer();
    let finished_at = tx.store().clock().now();
    let mut final_ones = Vec::with_capacity(jobs.len());
    let mut outcomes = Vec::with_capacity(jobs.len());
    for (job, conclusion) in jobs.iter().zip(conclusions) {
        let attempt = i32::try_from(job.attempt()).unwrap_or(i32::MAX);
        match conclusion {
            Conclusion::Done => {}
            Conclusion::Retry { at, reason } => {
                let retry = Retry {
                    consumer,
                    envelope: job.envelope().clone(),
                    attempt: attempt.saturating_add(1),
                    replay_id: job.replay_id(),
                };
                retries::schedule(tx, &retry, *at, reason).await?;
            }
            Conclusion::DeadLetter { reason } => {
                let envelope = job.envelope().clone();
                let letter = NewDeadLetter::of(consumer, envelope, job.replay_id(), reason.clone(), attempt);
                dead_letters::keep(tx, letter).await?;
            }
        }
        if conclusion.is_final() {
            final_ones.push(job.key());
        }
        outcomes.push(outcome(handler, job, conclusion, attempt, finished_at));
    }
    handled::record(tx, consumer, &final_ones).await?;
    handled::record_outcomes(tx, outcomes).await
}

fn outcome<H: Handler>(
    handler: &H,
    job: &Job<H::Acted>,
    conclusion: &Conclusion,
    attempt: i32,
    finished_at: chrono::DateTime<chrono::Utc>,
) -> NewOutcome {
    let record = match &job.work {
        Work::Acted(delivery, _) => delivery.record(),
        Work::Unreadable(..) => Default::default(),
    };
    NewOutcome {
        consumer: handler.consumer(),
        event_id: job.envelope().id,
        replay_id: job.replay_id(),
        attempt,
        verdict: conclusion.name(),
        error_class: error_class(job, conclusion).map(str::to_owned),
        error: conclusion.reason().map(str::to_owned),
        answers: serde_json::to_value(&record.answers).unwrap_or_default(),
        caused: record.caused(),
        started_at: job.started_at,
        finished_at,
    }
}

/// Where an event that was not done got stuck.
fn error_class<A>(job: &Job<A>, conclusion: &Conclusion) -> Option<&'static str> {
    match (&job.work, conclusion) {
        (_, Conclusion::Done) => None,
        (Work::Unreadable(..), _) => Some("unreadable"),
        (Work::Acted(_, Err(_)), _) => Some("acting"),
        (Work::Acted(_, Ok(_)), _) => Some("applying"),
    }
}
