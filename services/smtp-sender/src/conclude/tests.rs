use std::time::Duration;

use postroom_events::{AccountId, PackId, SubmissionId, TenantId, WorkerId};
use postroom_retry::policies::SEND_DEFERRED;
use postroom_store::{Submission, submissions::Attempt};

use super::*;
use crate::fate::Said;

use SubmissionState::{Deferred, Failed, Queued, Sending, Sent, Uncertain};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The second attempt on a submission made an hour ago, which is tried for a day, with recipients in these states.
fn started(states: &[SubmissionState]) -> Started {
    let id = SubmissionId::generate();
    let recipient = |(number, state): (usize, &SubmissionState)| SubmissionRecipient {
        submission_id: id,
        number: number as i32,
        address: format!("{number}@x.test"),
        state: *state,
        smtp_code: None,
        enhanced_code: None,
        server_reply: None,
        updated_at: now(),
    };
    let hour = Duration::from_secs(3600);
    Started {
        attempt: Attempt {
            submission_id: id,
            number: 2,
            holder: WorkerId::generate(),
        },
        recipients: states.iter().enumerate().map(recipient).collect(),
        submission: Submission {
            id,
            tenant_id: TenantId::generate(),
            account_id: AccountId::generate(),
            idempotency_key: None,
            request_digest: Vec::new(),
            message_id_header: "1@x.test".into(),
            envelope_from: "a@x.test".into(),
            subject: String::new(),
            pack_id: PackId::generate(),
            pack_offset: 0,
            pack_length: 0,
            size: 1,
            state: Deferred,
            cause: None,
            server_reply: None,
            attempt: 1,
            phase: "waiting".into(),
            holder: None,
            held_until: None,
            next_attempt_at: None,
            give_up_at: now() + 23 * hour,
            sent_copy: "pending".into(),
            created_at: now() - hour,
            finished_at: None,
            request_event_id: None,
        },
    }
}

fn concluded(started: &Started, fates: &[Fate]) -> Conclusion {
    let subject = Subject {
        started,
        now: now(),
        policy: &SEND_DEFERRED,
    };
    conclude(subject, fates)
}

fn accepted() -> Fate {
    Fate::Accepted(Said {
        code: Some(250),
        enhanced: Some("2.0.0".into()),
        words: "250 2.0.0 queued as 1".into(),
    })
}

fn later(wait: Wait) -> Fate {
    let said = Said {
        code: Some(450),
        enhanced: None,
        words: "450 later".into(),
    };
    Fate::Refused(Refusal::for_now("recipient_deferred", said, wait))
}

fn never() -> Fate {
    let said = Said {
        code: Some(550),
        enhanced: Some("5.1.1".into()),
        words: "550 5.1.1 nobody".into(),
    };
    Fate::Refused(Refusal::for_good("recipient_refused", said))
}

fn unknown() -> Fate {
    Fate::Unknown(Said::sentence("No answer."))
}

const BY_POLICY: Wait = Wait::ByPolicy(None);

fn types(conclusion: &Conclusion) -> Vec<&'static str> {
    conclusion.events.iter().map(Event::event_type).collect()
}

#[test]
fn all_accepted_is_sent_and_the_copy_is_seen_to() {
    let conclusion = concluded(&started(&[Queued, Queued]), &[accepted(), accepted()]);
    assert_eq!(
        (conclusion.ending.state, conclusion.ending.outcome),
        (Sent, "sent")
    );
    assert_eq!(conclusion.ending.next_attempt_at, None);
    assert_eq!(conclusion.ending.cause, None);
    assert_eq!(types(&conclusion), [MessageSent::TYPE]);
    assert!(conclusion.concerns_sent_copy);
}

#[test]
fn of_several_recipients_only_the_deferred_ones_are_tried_again() {
    let first = started(&[Queued, Queued, Queued]);
    let conclusion = concluded(&first, &[accepted(), later(BY_POLICY), never()]);
    let states: Vec<_> = conclusion.ending.recipients.iter().map(|r| r.state).collect();
    assert_eq!(states, [Sent, Deferred, Failed]);
    assert_eq!(conclusion.ending.state, Sent, "the best that is known");
    let wait = conclusion.ending.next_attempt_at.unwrap() - now();
    assert!(
        (150..200).contains(&wait.num_seconds()),
        "the second rung is 3 minutes, and it is {wait}"
    );
    assert_eq!(types(&conclusion), [MessageSent::TYPE, SendDeferred::TYPE]);

    let again = started(&[Sent, Deferred, Failed]);
    let conclusion = concluded(&again, &[accepted()]);
    assert_eq!(conclusion.ending.recipients.len(), 1);
    assert_eq!(conclusion.ending.recipients[0].number, 1);
    assert_eq!(
        (conclusion.ending.state, conclusion.ending.next_attempt_at),
        (Sent, None)
    );
    assert!(!conclusion.concerns_sent_copy, "it has one already");
    let failed = concluded(&again, &[never()]);
    assert_eq!(failed.ending.state, Sent, "one has it");
    assert_eq!(types(&failed), [SendFailed::TYPE]);
}

#[test]
fn refused_for_good_is_failed_with_the_servers_words() {
    let conclusion = concluded(&started(&[Queued]), &[never()]);
    assert_eq!(conclusion.ending.state, Failed);
    assert_eq!(conclusion.ending.cause.as_deref(), Some("recipient_refused"));
    assert_eq!(
        conclusion.ending.server_reply.as_deref(),
        Some("550 5.1.1 nobody")
    );
    assert_eq!(types(&conclusion), [SendFailed::TYPE]);
    assert!(!conclusion.concerns_sent_copy);
}

#[test]
fn a_server_that_names_a_time_is_obeyed_and_so_is_the_end_of_all_tries() {
    let asked = Wait::ByPolicy(Some(Duration::from_secs(3600)));
    let conclusion = concluded(&started(&[Queued]), &[later(asked)]);
    let wait = conclusion.ending.next_attempt_at.unwrap() - now();
    assert!((60..67).contains(&wait.num_minutes()), "{wait}");

    let mut ending = started(&[Deferred]);
    ending.submission.give_up_at = now() + Duration::from_secs(60);
    let conclusion = concluded(&ending, &[later(asked)]);
    assert_eq!(
        (conclusion.ending.state, conclusion.ending.next_attempt_at),
        (Failed, None)
    );
    assert_eq!(conclusion.ending.cause.as_deref(), Some("time_ran_out"));
    assert_eq!(conclusion.ending.server_reply.as_deref(), Some("450 later"));
    assert_eq!(types(&conclusion), [SendFailed::TYPE]);

    let exactly = Wait::Exactly(Duration::from_secs(600));
    let conclusion = concluded(&ending, &[later(exactly)]);
    assert_eq!(
        conclusion.ending.next_attempt_at,
        Some(ending.submission.give_up_at),
        "one last look"
    );
}

#[test]
fn an_unknown_outcome_ends_it_also_for_those_who_were_deferred() {
    let conclusion = concluded(&started(&[Queued, Queued]), &[unknown(), later(BY_POLICY)]);
    let states: Vec<_> = conclusion.ending.recipients.iter().map(|r| r.state).collect();
    assert_eq!(states, [Uncertain, Failed]);
    assert_eq!(
        (conclusion.ending.state, conclusion.ending.next_attempt_at),
        (Uncertain, None)
    );
    assert_eq!(types(&conclusion), [SendUncertain::TYPE]);
    assert!(conclusion.concerns_sent_copy, "being in Sent would tell");
    let after_a_part = concluded(&started(&[Sent, Deferred]), &[unknown()]);
    assert_eq!(after_a_part.ending.state, Uncertain);
    assert!(
        !after_a_part.concerns_sent_copy,
        "the copy of the first part would tell a lie"
    );
}

#[test]
fn a_worker_that_died_behind_the_dot_leaves_what_it_wrote_before_it() {
    let mut left = started(&[Sending, Deferred, Failed]);
    left.recipients[1].server_reply = Some("450 later".into());
    let fates: Vec<_> = left
        .recipients
        .iter()
        .filter(|row| is_open(row))
        .map(Fate::left_behind)
        .collect();
    let conclusion = concluded(&left, &fates);
    let states: Vec<_> = conclusion.ending.recipients.iter().map(|r| r.state).collect();
    assert_eq!(states, [Uncertain, Failed]);
    assert_eq!(
        conclusion.ending.recipients[1].server_reply.as_deref(),
        Some("450 later")
    );
    assert_eq!(conclusion.ending.cause.as_deref(), Some("no_answer"));
}

#[test]
fn what_is_given_up_before_the_dot_is_as_if_it_had_not_been_tried() {
    let mut given_up = started(&[Sent, Sending, Deferred]);
    given_up.submission.cause = Some("recipient_deferred".into());
    let ending = release(&given_up, now());
    let states: Vec<_> = ending.recipients.iter().map(|r| (r.number, r.state)).collect();
    assert_eq!(states, [(1, Queued), (2, Deferred)]);
    assert_eq!(ending.cause.as_deref(), Some("recipient_deferred"));
    assert_eq!((ending.state, ending.next_attempt_at), (Sent, Some(now())));
    assert_eq!(release(&started(&[Queued]), now()).state, Queued);
}
