//! From the fates of the recipients to what is written down and told. Pure.
//!
//! - While a recipient may still be tried, the submission is not finished; only those are tried again.
//! - An unknown outcome ends it: nothing is sent again by itself, and a person decides.
//! - The state tells the best that is known: `uncertain` before `sent` before `deferred` before `failed`.

use chrono::{DateTime, Utc};
use postroom_events::{
    Event, MessageSent, RecipientOutcome, SendDeferred, SendFailed, SendUncertain, SubmissionState,
};
use postroom_retry::{Failure, Jitter, RetryPolicy};
use postroom_store::{
    SubmissionRecipient,
    submissions::{Ending, RecipientResult, Started},
};

use crate::fate::{Fate, Refusal, Wait, result};

/// What the conclusion is drawn on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'s> {
    pub(crate) started: &'s Started,
    pub(crate) now: DateTime<Utc>,
    pub(crate) policy: &'s RetryPolicy,
}

/// What is written down and told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conclusion {
    pub(crate) ending: Ending,
    pub(crate) events: Vec<Event>,
    /// Whether the mail's copy in Sent is to be looked for, or put there: the server took it for the first time, or being
    /// there would tell that it took it.
    pub(crate) concerns_sent_copy: bool,
}

/// Whether a recipient may still be tried.
pub(crate) fn is_open(row: &SubmissionRecipient) -> bool {
    use SubmissionState::{Deferred, Queued, Scheduled, Sending};
    matches!(row.state, Queued | Scheduled | Sending | Deferred)
}

/// Draws the conclusion of an attempt; `fates` has one for each open recipient, in order.
pub(crate) fn conclude(subject: Subject<'_>, fates: &[Fate]) -> Conclusion {
    let unknown = fates.iter().find_map(|fate| match fate {
        Fate::Unknown(said) => Some(said),
        _ => None,
    });
    let next = match unknown {
        Some(_) => None,
        None => next_attempt_at(subject, fates),
    };
    let open = subject.started.recipients.iter().filter(|row| is_open(row));
    let recipients: Vec<_> = open
        .zip(fates)
        .map(|(row, fate)| settle(row.number, fate, next.is_some()))
        .collect();
    let refusal = fates.iter().find_map(|fate| match fate {
        Fate::Refused(refusal) => Some(refusal),
        _ => None,
    });
    let ran_out =
        unknown.is_none() && next.is_none() && refusals(fates).any(|refusal| refusal.again.is_some());
    let cause = match (unknown, refusal) {
        (Some(_), _) => Some("no_answer"),
        _ if ran_out => Some("time_ran_out"),
        (None, refusal) => refusal.map(|refusal| refusal.cause),
    };
    let accepted = fates.iter().find_map(|fate| match fate {
        Fate::Accepted(said) => Some(said),
        _ => None,
    });
    let words = unknown.or(refusal.map(|refusal| &refusal.said)).or(accepted);
    let ending = Ending {
        state: state_of(&subject.started.recipients, &recipients),
        cause: cause.map(str::to_owned),
        server_reply: words.map(|said| said.words.clone()),
        next_attempt_at: next,
        outcome: match (unknown, accepted, next) {
            (Some(_), ..) => "uncertain",
            (None, Some(_), _) => "sent",
            (None, None, Some(_)) => "deferred",
            (None, None, None) => "failed",
        },
        recipients,
    };
    let sent_before = subject.started.recipients.iter().any(was_sent);
    Conclusion {
        events: events(subject, &ending, accepted.is_some()),
        concerns_sent_copy: !sent_before && (accepted.is_some() || unknown.is_some()),
        ending,
    }
}

/// Nothing came of an attempt, and nobody is to blame: it is taken back as if it had not been.
pub(crate) fn release(started: &Started, now: DateTime<Utc>) -> Ending {
    let as_before = |row: &SubmissionRecipient| RecipientResult {
        number: row.number,
        state: match row.state {
            SubmissionState::Sending => SubmissionState::Queued,
            state => state,
        },
        smtp_code: row.smtp_code.and_then(|code| u16::try_from(code).ok()),
        enhanced_code: row.enhanced_code.clone(),
        server_reply: row.server_reply.clone(),
    };
    let open = started.recipients.iter().filter(|row| is_open(row));
    let recipients: Vec<_> = open.map(as_before).collect();
    Ending {
        state: state_of(&started.recipients, &recipients),
        cause: started.submission.cause.clone(),
        server_reply: started.submission.server_reply.clone(),
        next_attempt_at: Some(now),
        outcome: "released",
        recipients,
    }
}

fn refusals(fates: &[Fate]) -> impl Iterator<Item = &Refusal> {
    fates.iter().filter_map(|fate| match fate {
        Fate::Refused(refusal) => Some(refusal),
        _ => None,
    })
}

fn settle(number: i32, fate: &Fate, again: bool) -> RecipientResult {
    match fate {
        Fate::Accepted(said) => result(number, SubmissionState::Sent, Some(said)),
        Fate::Unknown(said) => result(number, SubmissionState::Uncertain, Some(said)),
        Fate::Refused(refusal) => {
            let state = match refusal.again {
                Some(_) if again => SubmissionState::Deferred,
                _ => SubmissionState::Failed,
            };
            result(number, state, Some(&refusal.said))
        }
    }
}

/// When those that were refused for now are tried again. `None`: nobody was, or their time is over.
fn next_attempt_at(subject: Subject<'_>, fates: &[Fate]) -> Option<DateTime<Utc>> {
    let Started {
        attempt, submission, ..
    } = subject.started;
    let waits: Vec<Wait> = refusals(fates).filter_map(|refusal| refusal.again).collect();
    let exactly = waits.iter().filter_map(|wait| match wait {
        Wait::Exactly(time) => Some(*time),
        Wait::ByPolicy(_) => None,
    });
    if let Some(time) = exactly.max() {
        let at = (subject.now + time).min(submission.give_up_at);
        return (submission.give_up_at > subject.now).then_some(at);
    }
    let asked = waits.iter().filter_map(|wait| match wait {
        Wait::ByPolicy(asked) => *asked,
        Wait::Exactly(_) => None,
    });
    let failure = Failure {
        attempts: attempt.number.unsigned_abs(),
        first_at: submission.created_at,
        retry_after: asked.max(),
    };
    let jitter = Jitter::of(submission.id.0.as_u64_pair().1 ^ u64::from(failure.attempts));
    let at = subject.policy.next_at(subject.now, &failure, jitter)?;
    (!waits.is_empty() && at <= submission.give_up_at).then_some(at)
}

fn was_sent(row: &SubmissionRecipient) -> bool {
    matches!(row.state, SubmissionState::Sent | SubmissionState::Bounced)
}

/// The state of the whole: of recipients settled before, and of those that this attempt concerned.
fn state_of(before: &[SubmissionRecipient], now: &[RecipientResult]) -> SubmissionState {
    use SubmissionState::{Bounced, Deferred, Failed, Queued, Scheduled, Sending, Sent, Uncertain};
    let settled = before.iter().filter(|row| !is_open(row)).map(|row| row.state);
    let states: Vec<_> = settled.chain(now.iter().map(|result| result.state)).collect();
    let any = |wanted: &[SubmissionState]| states.iter().any(|state| wanted.contains(state));
    if any(&[Uncertain]) {
        Uncertain
    } else if any(&[Sent, Bounced]) {
        Sent
    } else if any(&[Deferred]) {
        Deferred
    } else if any(&[Queued, Scheduled, Sending]) {
        Queued
    } else {
        Failed
    }
}

fn events(subject: Subject<'_>, ending: &Ending, sent: bool) -> Vec<Event> {
    let account_id = subject.started.submission.account_id;
    let submission_id = subject.started.submission.id;
    let attempt = subject.started.attempt.number;
    let cause = ending.cause.clone().unwrap_or_default();
    let recipients: Vec<_> = ending.recipients.iter().map(outcome).collect();
    let mut events: Vec<Event> = Vec::new();
    if sent {
        let recipients = recipients.clone();
        events.push(
            MessageSent {
                account_id,
                submission_id,
                attempt,
                recipients,
            }
            .into(),
        );
    }
    let uncertain = ending.outcome == "uncertain";
    match ending.next_attempt_at {
        _ if uncertain => events.push(
            SendUncertain {
                account_id,
                submission_id,
                attempt,
                cause,
            }
            .into(),
        ),
        Some(next_attempt_at) => events.push(
            SendDeferred {
                account_id,
                submission_id,
                attempt,
                next_attempt_at,
                cause,
                recipients,
            }
            .into(),
        ),
        None if !sent => events.push(
            SendFailed {
                account_id,
                submission_id,
                attempt,
                cause,
                recipients,
            }
            .into(),
        ),
        None => {}
    }
    events
}

fn outcome(result: &RecipientResult) -> RecipientOutcome {
    RecipientOutcome {
        recipient: result.number,
        state: result.state,
        smtp_code: result.smtp_code,
        enhanced_code: result.enhanced_code.clone(),
    }
}

#[cfg(test)]
mod tests;
