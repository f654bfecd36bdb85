//! Sending one message in two steps, so that the caller can write down "uncertain" in between.
//!
//! [`SmtpSession::begin`] says who sends to whom and streams the message, all but its end; whatever fails up to there
//! was certainly not accepted. [`Prepared::finish`] lets the final dot go and reads the answer; only here can an
//! outcome be unknown.

use super::body::MessageBody;
use super::data::{DataEncoder, FINAL_DOT};
use super::dialogue::{DialogueError, Unasked};
use super::envelope::SmtpEnvelope;
use super::error::{SmtpError, SmtpStep};
use super::handover::Handover;
use super::outcome::{NotSent, RecipientStatus, SendFailure, SendOutcome, outcome_of};
use super::reply::{ReplyClass, SmtpReply};
use super::session::{SmtpSession, State};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Wire bytes kept back until the end, so that a small message leaves in one write together with its final dot.
const PIECE: usize = 64 * 1024;
/// How long a server that hung up is listened to for its last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A message all but sent: the server has it up to the final dot. Dropping it ends the session and with it the
/// message: without the dot no server may deliver it.
#[derive(Debug)]
pub struct Prepared<'s> {
    session: &'s mut SmtpSession,
    recipients: Vec<RecipientStatus>,
    /// The end of the message, final dot included.
    tail: Vec<u8>,
}

impl SmtpSession {
    /// Hands over envelope and message up to the final dot.
    ///
    /// # Errors
    /// [`NotSent`] if no recipient is left: nothing was accepted, and each recipient has its failure. The session can
    /// be used again if [`SmtpSession::is_usable`] says so.
    #[tracing::instrument(name = "smtp.begin", skip_all, fields(recipients = envelope.recipients().len()))]
    pub async fn begin<R: AsyncRead + Unpin>(
        &mut self,
        envelope: &SmtpEnvelope,
        body: MessageBody<R>,
    ) -> Result<Prepared<'_>, NotSent> {
        let mut handover = Handover::new(envelope, self, &body);
        if let Err(error) = self.hand_over(&mut handover).await {
            return Err(handover.give_up(error));
        }
        if !handover.has_accepted() || !handover.data_open {
            return Err(handover.not_sent(None));
        }
        match self.stream_body(body).await {
            Ok(tail) => Ok(Prepared {
                session: self,
                recipients: handover.before_the_dot(),
                tail,
            }),
            Err(Broken::Told(reply)) => {
                handover.refusal = Some(outcome_of(SmtpStep::Message, reply));
                Err(handover.not_sent(None))
            }
            Err(Broken::Failed(failure, error)) => {
                handover.refusal = Some(SendOutcome::TransientFailure(failure));
                Err(handover.not_sent(error))
            }
        }
    }

    /// Streams the message and gives back its end, which is still to be sent.
    async fn stream_body<R: AsyncRead + Unpin>(
        &mut self,
        mut body: MessageBody<R>,
    ) -> Result<Vec<u8>, Broken> {
        let mut encoder = DataEncoder::new();
        let mut piece = Vec::with_capacity(PIECE.min(usize::try_from(body.size).unwrap_or(PIECE) + 1));
        let mut wire = Vec::new();
        loop {
            piece.clear();
            let read = (&mut body.reader)
                .take(PIECE as u64)
                .read_to_end(&mut piece)
                .await;
            match read {
                Ok(0) => break,
                Ok(_) if wire.len() >= PIECE => {
                    let sent = self.dialogue.send(&wire, self.time_outs.piece).await;
                    if let Err(error) = sent {
                        return Err(self.broken_off(error).await);
                    }
                    wire.clear();
                }
                Ok(_) => {}
                Err(error) => {
                    let sentence = format!(
                        "The stored message could not be read ({}). It will be tried again.",
                        error.kind()
                    );
                    return Err(Broken::Failed(
                        SendFailure::local(SmtpStep::Message, sentence),
                        None,
                    ));
                }
            }
            encoder.encode(&piece, &mut wire);
        }
        encoder.finish(&mut wire);
        Ok(wire)
    }

    /// What a connection that fails in the middle of a message means: the server's last words if it left any.
    async fn broken_off(&mut self, error: DialogueError) -> Broken {
        match self.dialogue.reply(LAST_WORDS).await {
            Ok(reply) if matches!(reply.class(), ReplyClass::Transient | ReplyClass::Permanent) => {
                Broken::Told(reply)
            }
            _ => {
                let error = self.broken(SmtpStep::Message, error);
                Broken::Failed(SendFailure::from_error(SmtpStep::Message, &error), Some(error))
            }
        }
    }
}

/// How streaming a message can fail. In every case the final dot has not left.
enum Broken {
    /// The server refused it half-way.
    Told(SmtpReply),
    Failed(SendFailure, Option<SmtpError>),
}

impl Prepared<'_> {
    /// What to write down before [`Prepared::finish`]: one status for each recipient of the envelope, in its order.
    /// [`SendOutcome::Unknown`] for those the server would take, which is the truth from the moment the dot leaves.
    pub fn recipients(&self) -> &[RecipientStatus] {
        &self.recipients
    }

    /// Lets the final dot go and reads the answer.
    #[tracing::instrument(name = "smtp.finish", skip_all)]
    pub async fn finish(self) -> Vec<RecipientStatus> {
        let Self {
            session,
            mut recipients,
            tail,
        } = self;
        let outcome = session.send_tail(&tail).await;
        for status in recipients
            .iter_mut()
            .filter(|status| matches!(status.outcome, SendOutcome::Unknown { .. }))
        {
            status.outcome = outcome.clone();
        }
        recipients
    }

    /// Gives the message up; nothing was accepted. The session is of no more use, because DATA cannot be taken back.
    pub async fn abandon(self) {
        let time_out = self.session.time_outs.command.min(LAST_WORDS);
        self.session.dialogue.close(time_out).await;
    }
}

impl SmtpSession {
    async fn send_tail(&mut self, tail: &[u8]) -> SendOutcome {
        // A server that spoke or hung up by now has not accepted anything: the dot is still here.
        match self.dialogue.unasked() {
            Unasked::Nothing => {}
            Unasked::Said | Unasked::Closed => return self.refused_early(DialogueError::Closed).await,
        }
        let mut sent = 0;
        let handed_over = self
            .dialogue
            .send_counting(tail, self.time_outs.piece, &mut sent)
            .await;
        let dot_is_here = sent + FINAL_DOT.len() <= tail.len();
        match handed_over {
            Err(error) if dot_is_here => return self.refused_early(error).await,
            // It may have left: the answer may still come, or else it stays unknown.
            Ok(()) | Err(_) => {}
        }
        match self.dialogue.reply(self.time_outs.acceptance).await {
            Ok(reply) => {
                self.state = match reply.code() {
                    // It also says that the server is about to hang up.
                    421 => State::Broken,
                    // Postfix that refuses by its end-of-data rules keeps the envelope.
                    400.. => State::NeedsReset,
                    _ => State::Ready,
                };
                match outcome_of(SmtpStep::Acceptance, reply) {
                    unknown @ SendOutcome::Unknown { .. } => {
                        self.state = State::Broken;
                        unknown
                    }
                    outcome => outcome,
                }
            }
            Err(error) => {
                let error = self.broken(SmtpStep::Acceptance, error);
                SendOutcome::Unknown {
                    cause: error.to_string(),
                }
            }
        }
    }

    async fn refused_early(&mut self, error: DialogueError) -> SendOutcome {
        match self.broken_off(error).await {
            Broken::Told(reply) => outcome_of(SmtpStep::Message, reply),
            Broken::Failed(failure, _) => SendOutcome::TransientFailure(failure),
        }
    }
}
