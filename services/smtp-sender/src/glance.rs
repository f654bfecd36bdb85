//! What may be done with a submission now, by its row and its account's. Pure.

use chrono::{DateTime, Utc};
use postroom_events::AccountState;
use postroom_store::{
    Account, Submission,
    submissions::{Standing, Waiting, standing},
};

use crate::SenderSettings;

/// What mails wait for that a person, or another service, has to end: when that is announced, they are tried at once.
pub(crate) const WAITS_FOR_WAY_IN: &[&str] = &[
    "sign_in_needed",
    "password_refused",
    "token_refused",
    "token_expired",
    "smtp_auth_disabled",
    "auth_not_offered",
];

/// What mails of a paused account wait for.
pub(crate) const PAUSED: &str = "account_paused";

/// What may be done with a submission now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Glance {
    /// Nothing any more.
    Finished,
    /// Nothing before this time; the row says why.
    Wait(DateTime<Utc>),
    /// Nothing before this time, for a reason that the row is to say.
    WaitFor(Waiting),
    /// It has failed without being tried (again), for this cause.
    GiveUp(&'static str),
    /// An attempt.
    Try,
    /// To write down that its outcome is not known: whoever tried it is gone.
    SettleUncertain,
}

pub(crate) fn glance(
    submission: &Submission,
    account: &Account,
    now: DateTime<Utc>,
    settings: &SenderSettings,
) -> Glance {
    match standing(submission, now) {
        Standing::Finished => return Glance::Finished,
        Standing::Waits(at) | Standing::Held(at) => return Glance::Wait(at),
        Standing::LeftUncertain => return Glance::SettleUncertain,
        Standing::Free => {}
    }
    if account.disconnected_at.is_some() {
        return Glance::GiveUp("account_disconnected");
    }
    if submission.give_up_at <= now {
        return Glance::GiveUp("time_ran_out");
    }
    let wait_for = |cause: &str| {
        let wait = settings.look_again_after(now - submission.created_at);
        Glance::WaitFor(Waiting {
            until: (now + wait).min(submission.give_up_at),
            cause: cause.to_owned(),
            words: None,
        })
    };
    match account.state {
        _ if account.paused => wait_for(PAUSED),
        AccountState::NeedsReauthorization | AccountState::AwaitingAdmin => wait_for("sign_in_needed"),
        _ => Glance::Try,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postroom_events::{
        AccountId, PackId, SendCondition, SubmissionId, SubmissionState, TenantId, WhoCanAct, WorkerId,
    };

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn submission() -> Submission {
        Submission {
            id: SubmissionId::generate(),
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
            state: SubmissionState::Queued,
            cause: None,
            server_reply: None,
            attempt: 0,
            phase: "waiting".into(),
            holder: None,
            held_until: None,
            next_attempt_at: Some(now()),
            give_up_at: now() + Duration::from_secs(30),
            sent_copy: "pending".into(),
            created_at: now(),
            finished_at: None,
            request_event_id: None,
        }
    }

    fn account() -> Account {
        Account {
            id: AccountId::generate(),
            tenant_id: TenantId::generate(),
            user_ref: "u1".into(),
            address: "a@x.test".into(),
            sender_name: String::new(),
            signature: String::new(),
            provider_id: "custom".into(),
            imap_host: "x.test".into(),
            imap_port: 993,
            imap_tls: "implicit".into(),
            smtp_host: "x.test".into(),
            smtp_port: 465,
            smtp_tls: "implicit".into(),
            login: "a@x.test".into(),
            mailbox: None,
            credential_id: None,
            credential_generation: 1,
            state: AccountState::Connected,
            state_cause: None,
            state_who_can_act: WhoCanAct::Nobody,
            state_changed_at: now(),
            send_condition: SendCondition::Ok,
            send_cause: None,
            paused: false,
            resumes_to: None,
            resumes_cause: None,
            resumes_who_can_act: None,
            messages_total: 0,
            messages_done: 0,
            backfilled_at: None,
            last_success_at: None,
            created_at: now(),
            disconnected_at: None,
            purge_requested_at: None,
        }
    }

    fn seen(submission: &Submission, account: &Account) -> Glance {
        glance(submission, account, now(), &SenderSettings::default())
    }

    #[test]
    fn a_row_says_what_may_be_done() {
        let later = now() + Duration::from_secs(10);
        assert_eq!(seen(&submission(), &account()), Glance::Try);
        let mut row = submission();
        row.next_attempt_at = Some(later);
        assert_eq!(seen(&row, &account()), Glance::Wait(later));
        row.phase = "uncertain".into();
        row.holder = Some(WorkerId::generate());
        row.held_until = Some(later);
        assert_eq!(seen(&row, &account()), Glance::Wait(later));
        row.held_until = Some(now());
        assert_eq!(seen(&row, &account()), Glance::SettleUncertain);
        row.phase = "handing_over".into();
        assert_eq!(seen(&row, &account()), Glance::Try);
        row.finished_at = Some(now());
        assert_eq!(seen(&row, &account()), Glance::Finished);
    }

    #[test]
    fn an_account_that_cannot_send_now_is_waited_for_but_not_beyond_the_mails_own_time() {
        let mut paused = account();
        paused.paused = true;
        let mut signed_out = account();
        signed_out.state = AccountState::NeedsReauthorization;
        for (account, cause) in [(paused, "account_paused"), (signed_out, "sign_in_needed")] {
            let Glance::WaitFor(waiting) = seen(&submission(), &account) else {
                panic!("{cause}");
            };
            assert_eq!(waiting.cause, cause);
            assert_eq!(waiting.until, now() + Duration::from_secs(5));
            let mut old = submission();
            old.created_at = now() - Duration::from_secs(60);
            let Glance::WaitFor(waiting) = seen(&old, &account) else {
                panic!("{cause}");
            };
            assert_eq!(waiting.until, old.give_up_at, "sooner than the next look");
        }
        let mut unreachable = account();
        unreachable.state = AccountState::Unreachable;
        assert_eq!(
            seen(&submission(), &unreachable),
            Glance::Try,
            "that was said of the other server"
        );
        let mut over = submission();
        over.give_up_at = now();
        assert_eq!(seen(&over, &account()), Glance::GiveUp("time_ran_out"));
        let mut gone = account();
        gone.disconnected_at = Some(now());
        assert_eq!(seen(&over, &gone), Glance::GiveUp("account_disconnected"));
    }
}
