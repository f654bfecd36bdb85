//! The one table of policies: which work is tried again how often.
//!
//! A number is changed here and nowhere else. `ALL` is what documents and the operations page print.

use std::time::Duration;

use crate::policy::RetryPolicy;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn minutes(n: u64) -> Duration {
    seconds(n * 60)
}

const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

const fn days(n: u64) -> Duration {
    hours(n * 24)
}

/// A mail server that does not answer or closes the connection: for as long as the account exists, because the
/// mailbox will be back. Spread widely: thousands of accounts lose the same server in the same second.
///
/// Start again from the first attempt only after a *successful* sync, not after a successful sign-in: a server
/// that accepts and then drops us would otherwise be stormed.
pub const RECONNECT: RetryPolicy = RetryPolicy {
    name: "reconnect",
    initial: seconds(2),
    multiplier: 2.0,
    max_interval: minutes(5),
    max_attempts: None,
    give_up_after: None,
    jitter: 0.5,
    max_retry_after: hours(1),
};

/// A mail server that accepts the sign-in but will not give the mailbox (`User is authenticated but not
/// connected`, IMAP switched off): a person has to change something, so look rarely, but do look.
pub const MAILBOX_REFUSED: RetryPolicy = RetryPolicy {
    name: "mailbox_refused",
    initial: minutes(5),
    multiplier: 2.0,
    max_interval: hours(1),
    max_attempts: None,
    give_up_after: None,
    jitter: 0.3,
    max_retry_after: hours(6),
};

/// A token endpoint that is busy or broken. The first tries come quickly, while the old access token still
/// works; it ends after three days, longer than a weekend's outage.
pub const REFRESH_TOKEN: RetryPolicy = RetryPolicy {
    name: "refresh_token",
    initial: seconds(5),
    multiplier: 2.0,
    max_interval: minutes(10),
    max_attempts: None,
    give_up_after: Some(days(3)),
    jitter: 0.3,
    max_retry_after: hours(1),
};

/// A grant that cannot be refreshed because of this system's own registration at the identity provider (secret
/// expired, client unknown): the operator has to mend it, and every grant of that registration waits for it. Asking
/// rarely spares the provider; the longest wait is how long mail stands still after the repair.
pub const REGISTRATION_REFUSED: RetryPolicy = RetryPolicy {
    name: "registration_refused",
    initial: minutes(2),
    multiplier: 2.0,
    max_interval: minutes(15),
    max_attempts: None,
    give_up_after: None,
    jitter: 0.3,
    max_retry_after: hours(1),
};

/// A grant that is to be given back to a provider that is busy or broken. What was erased here must not wait for
/// ever for somebody else: after this time the secrets are erased all the same, within the hour in which a
/// disconnected account is to be gone.
pub const REVOKE_GRANT: RetryPolicy = RetryPolicy {
    name: "revoke_grant",
    initial: seconds(5),
    multiplier: 3.0,
    max_interval: minutes(10),
    max_attempts: None,
    give_up_after: Some(minutes(45)),
    jitter: 0.2,
    max_retry_after: minutes(15),
};

/// Mail that a submission server did not take for now (4xx): 1, 3, 9, 27, 81 minutes and then every 4 hours for
/// 5 days, in the range that RFC 5321 section 4.5.4.1 recommends.
pub const SEND_DEFERRED: RetryPolicy = RetryPolicy {
    name: "send_deferred",
    initial: minutes(1),
    multiplier: 3.0,
    max_interval: hours(4),
    max_attempts: None,
    give_up_after: Some(days(5)),
    jitter: 0.1,
    max_retry_after: hours(12),
};

/// An event whose handler failed for a reason that may pass (database busy, object store away). What still
/// fails after a day becomes a dead letter for people to read.
pub const HANDLE_EVENT: RetryPolicy = RetryPolicy {
    name: "handle_event",
    initial: seconds(1),
    multiplier: 3.0,
    max_interval: minutes(15),
    max_attempts: Some(40),
    give_up_after: Some(days(1)),
    jitter: 0.2,
    max_retry_after: hours(1),
};

/// RabbitMQ or PostgreSQL away: without them nothing can be done, so knock often and for ever.
pub const INFRASTRUCTURE: RetryPolicy = RetryPolicy {
    name: "infrastructure",
    initial: Duration::from_millis(200),
    multiplier: 2.0,
    max_interval: seconds(5),
    max_attempts: None,
    give_up_after: None,
    jitter: 0.3,
    max_retry_after: seconds(5),
};

/// Every policy, for documents and for the operations page.
pub const ALL: [&RetryPolicy; 8] = [
    &RECONNECT,
    &MAILBOX_REFUSED,
    &REFRESH_TOKEN,
    &REGISTRATION_REFUSED,
    &REVOKE_GRANT,
    &SEND_DEFERRED,
    &HANDLE_EVENT,
    &INFRASTRUCTURE,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Jitter;

    #[test]
    fn every_policy_is_sound() {
        let names: HashSet<_> = ALL.iter().map(|policy| policy.name).collect();
        assert_eq!(names.len(), ALL.len(), "names are unique");
        for policy in ALL {
            assert!(policy.initial <= policy.max_interval, "{}", policy.name);
            assert!(policy.multiplier >= 1.0, "{}", policy.name);
            assert!((0.0..=1.0).contains(&policy.jitter), "{}", policy.name);
            assert!(
                policy.max_retry_after >= policy.max_interval.min(minutes(5)),
                "{}",
                policy.name
            );
        }
    }

    #[test]
    fn deferred_mail_is_tried_for_five_days() {
        let minutes_after = |n| SEND_DEFERRED.next_delay(n, Jitter::NONE).unwrap().as_secs() / 60;
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 99].map(minutes_after),
            [1, 3, 9, 27, 81, 240, 240]
        );
        assert_eq!(SEND_DEFERRED.give_up_after, Some(days(5)));
    }
}
