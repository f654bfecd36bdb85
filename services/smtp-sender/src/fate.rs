//! What became of a mail for one recipient, read from what the server said. Pure.

use std::time::Duration;

use postroom_events::SubmissionState;
use postroom_mail::smtp::{RecipientStatus, SendFailure, SendOutcome, SmtpError, SmtpReply, SmtpStep};
use postroom_store::{SubmissionRecipient, submissions::RecipientResult};

/// What somebody said: the server, or we in its place where it said nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// SMTP reply code.
    pub(crate) code: Option<u16>,
    /// Enhanced status code.
    pub(crate) enhanced: Option<String>,
    /// The server's words, or a sentence.
    pub(crate) words: String,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// By the number of attempts; not sooner than the server asked.
    ByPolicy(Option<Duration>),
    /// After this time: nobody has failed, something else has to happen first.
    Exactly(Duration),
}

/// Why a mail was certainly not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) said: Said,
    /// Stable snake_case code.
    pub(crate) cause: &'static str,
    /// When to try again; `None`: never.
    pub(crate) again: Option<Wait>,
}

/// What became of a mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server took it.
    Accepted(Said),
    /// Certainly not accepted.
    Refused(Refusal),
    /// The final dot may have left, and there is no answer.
    Unknown(Said),
}

impl Said {
    pub(crate) fn sentence(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            ..Self::default()
        }
    }

    pub(crate) fn by_server(reply: &SmtpReply) -> Self {
        Self {
            code: Some(reply.code()),
            enhanced: reply.enhanced().map(|code| code.to_string()),
            words: reply.to_string(),
        }
    }

    /// As it was written down before.
    pub(crate) fn in_row(row: &SubmissionRecipient) -> Self {
        Self {
            code: row.smtp_code.and_then(|code| u16::try_from(code).ok()),
            enhanced: row.enhanced_code.clone(),
            words: row.server_reply.clone().unwrap_or_default(),
        }
    }
}

impl Refusal {
    /// Nothing came of the attempt, and it is tried again.
    pub(crate) fn for_now(cause: &'static str, said: Said, wait: Wait) -> Self {
        Self {
            said,
            cause,
            again: Some(wait),
        }
    }

    /// Trying again would change nothing.
    pub(crate) fn for_good(cause: &'static str, said: Said) -> Self {
        Self {
            said,
            cause,
            again: None,
        }
    }
}

impl Fate {
    /// From what the client found out; `broken` is the end of the connection, if it ended.
    pub(crate) fn of(status: &RecipientStatus, broken: Option<&SmtpError>) -> Self {
        match &status.outcome {
            SendOutcome::Accepted { reply } => Self::Accepted(Said::by_server(reply)),
            SendOutcome::Unknown { cause } => Self::Unknown(Said::sentence(cause)),
            SendOutcome::PermanentFailure(failure) => {
                let (_, for_good) = causes(failure.step);
                Self::Refused(Refusal::for_good(for_good, said(failure)))
            }
            SendOutcome::TransientFailure(failure) => {
                let (for_now, _) = causes(failure.step);
                let cause = match (broken, &failure.reply) {
                    (Some(error), None) => error.code(),
                    _ => for_now,
                };
                let wait = Wait::ByPolicy(failure.retry_after);
                Self::Refused(Refusal::for_now(cause, said(failure), wait))
            }
        }
    }

    /// Of a recipient whose attempt ended without anybody saying how, from the row that was written before the dot.
    pub(crate) fn left_behind(row: &SubmissionRecipient) -> Self {
        match row.state {
            SubmissionState::Sending => Self::Unknown(Said::sentence(
                "The worker that sent it ended before the server had answered.",
            )),
            _ => {
                let wait = Wait::ByPolicy(None);
                Self::Refused(Refusal::for_now("recipient_deferred", Said::in_row(row), wait))
            }
        }
    }

    /// As it is written down before the dot leaves: what is unknown then is under way.
    pub(crate) fn before_the_dot(&self, number: i32) -> RecipientResult {
        let (state, said) = match self {
            Self::Accepted(_) | Self::Unknown(_) => (SubmissionState::Sending, None),
            Self::Refused(refusal) if refusal.again.is_some() => {
                (SubmissionState::Deferred, Some(&refusal.said))
            }
            Self::Refused(refusal) => (SubmissionState::Failed, Some(&refusal.said)),
        };
        result(number, state, said)
    }
}

/// A row of [`RecipientResult`].
pub(crate) fn result(number: i32, state: SubmissionState, said: Option<&Said>) -> RecipientResult {
    RecipientResult {
        number,
        state,
        smtp_code: said.and_then(|said| said.code),
        enhanced_code: said.and_then(|said| said.enhanced.clone()),
        server_reply: said.map(|said| said.words.clone()),
    }
}

fn said(failure: &SendFailure) -> Said {
    match &failure.reply {
        Some(reply) => Said::by_server(reply),
        None => Said::sentence(&failure.sentence),
    }
}

/// The cause of a refusal at a step: for now, and for good.
fn causes(step: SmtpStep) -> (&'static str, &'static str) {
    match step {
        SmtpStep::Sender => ("sender_deferred", "sender_refused"),
        SmtpStep::Recipient => ("recipient_deferred", "recipient_refused"),
        SmtpStep::Message | SmtpStep::Acceptance => ("message_deferred", "message_refused"),
        _ => ("server_deferred", "server_refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_dot_only_refusals_are_settled() {
        let refusal = |again| {
            Fate::Refused(Refusal {
                said: Said::sentence("No."),
                cause: "recipient_refused",
                again,
            })
        };
        let state = |fate: Fate| fate.before_the_dot(3).state;
        assert_eq!(
            state(Fate::Unknown(Said::sentence("On its way."))),
            SubmissionState::Sending
        );
        assert_eq!(state(refusal(None)), SubmissionState::Failed);
        assert_eq!(
            state(refusal(Some(Wait::ByPolicy(None)))),
            SubmissionState::Deferred
        );
        let row = refusal(None).before_the_dot(3);
        assert_eq!((row.number, row.server_reply.as_deref()), (3, Some("No.")));
    }
}
