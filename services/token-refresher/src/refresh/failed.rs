//! No tokens for now: when to try again, and when to give up.

use postroom_events::WhoCanAct;
use postroom_retry::{
    Failure, RetryPolicy,
    policies::{REFRESH_TOKEN, REGISTRATION_REFUSED},
};
use postroom_runtime::{HandledEvent, HandlerError, Verdict};
use postroom_store::{
    Tx,
    refreshes::{self, HeldGrant},
};

use super::trouble::Trouble;
use crate::first_attempt::{first_attempt_at, jitter};

/// A refresh that may go better later.
#[derive(Debug)]
pub(crate) struct FailedRefresh {
    pub(crate) held: Box<HeldGrant>,
    pub(crate) trouble: Trouble,
}

/// Notes it in the grant, so that nobody else asks sooner, and comes again.
///
/// What only the operator can mend is nobody's state: no person could do anything about it. It is said in the log and by
/// metrics, and tried at long intervals.
pub(crate) async fn apply(
    tx: &Tx,
    delivery: &HandledEvent,
    failed: &FailedRefresh,
) -> Result<Verdict, HandlerError> {
    let FailedRefresh { held, trouble } = failed;
    let now = tx.store().now(tx.db()).await?;
    let tries = u32::try_from(held.grant.refresh_failures)
        .unwrap_or(0)
        .saturating_add(1);
    let failure = Failure {
        attempts: tries,
        first_at: first_attempt_at(tx, delivery, now).await?,
        retry_after: trouble.retry_after,
    };
    let next = policy(trouble).next_at(now, &failure, jitter(delivery, tries));
    if !refreshes::failed(tx, held, trouble.answer, next.unwrap_or(now)).await? {
        tracing::info!(grant.id = %held.grant.id, "The grant has moved on since the refresh failed");
        return Ok(Verdict::Done);
    }
    say(held, trouble, tries);
    Ok(match next {
        Some(at) => Verdict::RetryAt(at, trouble.sentence.clone()),
        None => Verdict::DeadLetter(format!("Given up after {tries} tries: {}", trouble.sentence)),
    })
}

fn policy(trouble: &Trouble) -> RetryPolicy {
    match trouble.who_can_act {
        WhoCanAct::Operator => REGISTRATION_REFUSED,
        _ => REFRESH_TOKEN,
    }
}

fn say(held: &HeldGrant, trouble: &Trouble, tries: u32) {
    let registration = held.grant.provider_id.as_str();
    let (cause, sentence) = (trouble.code, trouble.sentence.as_str());
    if trouble.who_can_act == WhoCanAct::Operator {
        tracing::error!(grant.id = %held.grant.id, registration, cause, tries, "The operator has to act: {sentence}");
    } else {
        tracing::info!(grant.id = %held.grant.id, registration, cause, tries, "A refresh failed for now: {sentence}");
    }
}
