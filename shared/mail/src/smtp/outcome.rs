//! What became of a message, for each recipient, and the one pure function that reads it from replies.

use super::error::{SmtpError, SmtpStep};
use super::reply::{EnhancedCode, ReplyClass, SmtpReply};
use std::time::Duration;

/// What became of the message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The server took responsibility for it.
    Accepted {
        /// Its answer to the final dot; often holds the server's queue id.
        reply: SmtpReply,
    },
    /// Certainly not accepted; it may be tried again.
    TransientFailure(SendFailure),
    /// Certainly not accepted, and trying again would not help.
    PermanentFailure(SendFailure),
    /// Sent completely, and no answer came: the one moment that SMTP leaves open. Never resend without a person's
    /// word (RFC 5321 section 4.2.5, RFC 1047).
    Unknown {
        /// Why there is no answer.
        cause: String,
    },
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendFailure {
    /// The step at which it failed.
    pub step: SmtpStep,
    /// A sentence for people.
    pub sentence: String,
    /// The server's words, if it said any.
    pub reply: Option<SmtpReply>,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

/// One recipient and what became of the message for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientStatus {
    /// The address as it stands in the envelope.
    pub address: String,
    /// What became of it.
    pub outcome: SendOutcome,
}

/// A message that was certainly accepted for nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// One failure for each recipient of the envelope, in its order.
    pub recipients: Vec<RecipientStatus>,
    /// The session's end, where the failure was one of the connection rather than of the message.
    pub error: Option<SmtpError>,
}

impl SendFailure {
    /// The enhanced status code, if the server gave one.
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        self.reply.as_ref().and_then(SmtpReply::enhanced)
    }

    pub(super) fn local(step: SmtpStep, sentence: impl Into<String>) -> Self {
        Self {
            step,
            sentence: sentence.into(),
            reply: None,
            retry_after: None,
        }
    }

    pub(super) fn from_error(step: SmtpStep, error: &SmtpError) -> Self {
        let reply = error.reply().cloned();
        Self {
            step,
            sentence: error.to_string(),
            reply,
            retry_after: error.retry_hint(),
        }
    }
}

/// Reads what a reply means for the message, at the step it answers. The class decides (RFC 5321 section 4.2.1) but
/// for the exceptions below.
pub(super) fn outcome_of(step: SmtpStep, reply: SmtpReply) -> SendOutcome {
    let class = if is_temporary_after_all(step, &reply) {
        ReplyClass::Transient
    } else {
        reply.class()
    };
    let failure = |lead: &str, next: &str| SendFailure {
        step,
        sentence: format!("The sending server {lead} {step} ({reply}). {next}"),
        retry_after: reply.retry_hint(),
        reply: Some(reply.clone()),
    };
    match class {
        ReplyClass::Positive => SendOutcome::Accepted { reply },
        ReplyClass::Transient => {
            SendOutcome::TransientFailure(failure("did not take", "It will be tried again."))
        }
        ReplyClass::Permanent => {
            SendOutcome::PermanentFailure(failure("refused", "Change what it names, then send again."))
        }
        // A number out of place says neither yes nor no. Before the final dot that is no; behind it, unknown.
        ReplyClass::Intermediate if step == SmtpStep::Acceptance => SendOutcome::Unknown {
            cause: format!("The sending server answered the message with {reply}."),
        },
        ReplyClass::Intermediate => {
            SendOutcome::TransientFailure(failure("gave no clear answer to", "It will be tried again."))
        }
    }
}

/// Permanent by number, temporary by nature.
fn is_temporary_after_all(step: SmtpStep, reply: &SmtpReply) -> bool {
    let enhanced = reply
        .enhanced()
        .map(|code| (code.class, code.subject, code.detail));
    // RFC 5321 section 4.5.3.1.10: servers of the old rule say 552 for "too many recipients", which 452 was meant for.
    let too_many_recipients = step == SmtpStep::Recipient && reply.code() == 552;
    // The sign-in of a kept-open connection has run out (Microsoft: 530 5.7.57 at MAIL FROM): sign in again.
    let signed_out = step == SmtpStep::Sender && reply.code() == 530;
    // Gmail's "Daily user sending limit exceeded" ends with the day.
    let gmail_daily_limit = reply.code() == 550 && enhanced == Some((5, 4, 5));
    // Exchange words the same with the name of its exception, under more than one code.
    let exchange_quota = reply.code() >= 500 && reply.text().contains("SubmissionQuotaExceeded");
    too_many_recipients || signed_out || gmail_daily_limit || exchange_quota
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(step: SmtpStep, code: u16, text: &str) -> &'static str {
        match outcome_of(step, SmtpReply::made(code, text)) {
            SendOutcome::Accepted { .. } => "accepted",
            SendOutcome::TransientFailure(_) => "transient",
            SendOutcome::PermanentFailure(_) => "permanent",
            SendOutcome::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn the_class_decides() {
        for step in [
            SmtpStep::Sender,
            SmtpStep::Recipient,
            SmtpStep::Message,
            SmtpStep::Acceptance,
        ] {
            assert_eq!(kind(step, 250, "2.0.0 ok"), "accepted");
            assert_eq!(kind(step, 451, "4.3.0 later"), "transient");
            assert_eq!(kind(step, 550, "5.1.1 nobody"), "permanent");
        }
        assert_eq!(kind(SmtpStep::Recipient, 354, "go on"), "transient");
        assert_eq!(kind(SmtpStep::Acceptance, 354, "go on"), "unknown");
    }

    #[test]
    fn the_exceptions_have_their_place() {
        assert_eq!(kind(SmtpStep::Recipient, 552, "too many recipients"), "transient");
        assert_eq!(
            kind(SmtpStep::Acceptance, 552, "5.3.4 message too big"),
            "permanent"
        );
        assert_eq!(
            kind(SmtpStep::Sender, 530, "5.7.57 Client was not authenticated"),
            "transient"
        );
        assert_eq!(
            kind(
                SmtpStep::Acceptance,
                550,
                "5.4.5 Daily user sending limit exceeded"
            ),
            "transient"
        );
        let exchange = "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException";
        assert_eq!(kind(SmtpStep::Acceptance, 554, exchange), "transient");
    }

    #[test]
    fn a_failure_says_what_the_server_said() {
        let text = "4.7.500 Request is throttled. Suggested Backoff Time: 5000 milliseconds";
        let SendOutcome::TransientFailure(failure) = outcome_of(SmtpStep::Sender, SmtpReply::made(451, text))
        else {
            panic!("not transient");
        };
        assert_eq!(failure.retry_after, Some(Duration::from_secs(5)));
        assert_eq!(failure.enhanced().unwrap().to_string(), "4.7.500");
        assert!(failure.sentence.contains("MAIL FROM") && failure.sentence.contains("throttled"));
    }
}
