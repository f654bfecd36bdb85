//! Handing over an envelope: MAIL, RCPT and DATA (RFC 5321 section 3.3), pipelined where the server allows
//! (RFC 2920), with one standing for each recipient.

use super::body::MessageBody;
use super::envelope::{SmtpEnvelope, wire_address};
use super::error::{SmtpError, SmtpErrorKind, SmtpStep};
use super::outcome::{NotSent, RecipientStatus, SendFailure, SendOutcome, outcome_of};
use super::reply::{ReplyClass, SmtpReply};
use super::session::{SmtpSession, State};

/// Recipients sent ahead of their replies. More could fill both directions of the connection and stop it for good.
const PIPELINED_RECIPIENTS: usize = 100;

/// Where a recipient stands while the envelope is handed over.
#[derive(Debug, Clone)]
enum Standing {
    Waiting,
    Accepted,
    Settled(SendOutcome),
}

/// One command of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Sender,
    /// The recipient with that index.
    Recipient(usize),
    Data,
}

/// One handing-over of an envelope.
pub(super) struct Handover<'e> {
    envelope: &'e SmtpEnvelope,
    mail_from: String,
    standings: Vec<Standing>,
    /// Why the message as a whole was not taken.
    pub(super) refusal: Option<SendOutcome>,
    pub(super) data_open: bool,
}

impl SmtpSession {
    /// MAIL, RCPT and DATA, in as few round trips as the server allows.
    pub(super) async fn hand_over(&mut self, handover: &mut Handover<'_>) -> Result<(), SmtpError> {
        if handover.refusal.is_some() || !handover.has_waiting() {
            return Ok(());
        }
        if self.state == State::NeedsReset {
            self.reset().await?;
        }
        if !self.is_usable() {
            return Err(SmtpError::new(
                &self.endpoint,
                SmtpErrorKind::Lost {
                    step: SmtpStep::Sender,
                },
            ));
        }
        // Until all of it went well, the session is fit for nothing else.
        self.state = State::Broken;
        for group in handover.groups(self.capabilities.pipelining) {
            let lonely_data = group == [Command::Data] && !handover.has_accepted();
            if handover.refusal.is_some() || lonely_data {
                break;
            }
            self.say(SmtpStep::Sender, &handover.commands(&group)).await?;
            for command in group {
                let reply = self.answer(command.step()).await?;
                handover.take(command, reply);
            }
        }
        if handover.data_open && !handover.has_accepted() {
            // A pipelined DATA that opened although we know of no recipient. RFC 2920 section 3.1 would have us send
            // the final dot at once; but a server that counts otherwise (Postfix: "nested MAIL", yet the recipients
            // of before stand) would deliver an empty message. So the connection ends here.
            return Ok(());
        }
        if !handover.data_open {
            self.state = State::NeedsReset;
        }
        Ok(())
    }
}

impl Command {
    fn step(self) -> SmtpStep {
        match self {
            Self::Sender => SmtpStep::Sender,
            Self::Recipient(_) => SmtpStep::Recipient,
            Self::Data => SmtpStep::Message,
        }
    }
}

impl<'e> Handover<'e> {
    /// Plans the envelope and settles at once what this server cannot take.
    pub(super) fn new<R>(envelope: &'e SmtpEnvelope, session: &SmtpSession, body: &MessageBody<R>) -> Self {
        let able = &session.capabilities;
        let too_big = able.max_size.filter(|max| body.size > *max);
        let mut refusal = too_big.map(|max| {
            local_refusal(SmtpStep::Sender, format!(
                "The message has {} bytes, and {} takes at most {max}. Send smaller or fewer attachments.",
                body.size, session.endpoint.host
            ))
        });
        let needs_utf8 = |address: &str| !wire_address(address).is_ascii();
        let no_utf8 = |step, address: &str| {
            local_refusal(
                step,
                format!(
                    "The address {address} has letters outside ASCII before the @, which {} cannot handle. \
                 Use another address of that person.",
                    session.endpoint.host
                ),
            )
        };
        if needs_utf8(envelope.from()) && !able.smtp_utf8 {
            refusal.get_or_insert_with(|| no_utf8(SmtpStep::Sender, envelope.from()));
        }
        let standings: Vec<Standing> = envelope
            .recipients()
            .iter()
            .map(|address| {
                if needs_utf8(address) && !able.smtp_utf8 {
                    Standing::Settled(no_utf8(SmtpStep::Recipient, address))
                } else {
                    Standing::Waiting
                }
            })
            .collect();
        let utf8 = able.smtp_utf8
            && (needs_utf8(envelope.from()) || envelope.recipients().iter().any(|a| needs_utf8(a)));
        let mut mail_from = format!("MAIL FROM:<{}>", wire_address(envelope.from()));
        if able.size {
            mail_from.push_str(&format!(" SIZE={}", body.size));
        }
        if able.eight_bit_mime && body.eight_bit {
            mail_from.push_str(" BODY=8BITMIME");
        }
        if utf8 {
            mail_from.push_str(" SMTPUTF8");
        }
        Self {
            envelope,
            mail_from,
            standings,
            refusal,
            data_open: false,
        }
    }

    /// The commands in the groups in which they are sent: each alone, or as many together as is safe.
    fn groups(&self, pipelining: bool) -> Vec<Vec<Command>> {
        let waiting = self
            .standings
            .iter()
            .enumerate()
            .filter(|(_, standing)| matches!(standing, Standing::Waiting));
        let recipients = waiting.map(|(at, _)| Command::Recipient(at));
        let commands = std::iter::once(Command::Sender)
            .chain(recipients)
            .chain(std::iter::once(Command::Data));
        let commands: Vec<Command> = commands.collect();
        let size = if pipelining { PIPELINED_RECIPIENTS } else { 1 };
        commands.chunks(size).map(<[Command]>::to_vec).collect()
    }

    fn commands(&self, group: &[Command]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(group.len() * 48);
        for command in group {
            match command {
                Command::Sender => bytes.extend_from_slice(self.mail_from.as_bytes()),
                Command::Recipient(at) => {
                    let address = self.envelope.recipients().get(*at).map_or("", String::as_str);
                    bytes.extend_from_slice(format!("RCPT TO:<{}>", wire_address(address)).as_bytes());
                }
                Command::Data => bytes.extend_from_slice(b"DATA"),
            }
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    /// Takes the reply to one command.
    fn take(&mut self, command: Command, reply: SmtpReply) {
        let step = command.step();
        match command {
            Command::Sender if reply.class() != ReplyClass::Positive => {
                self.refusal = Some(outcome_of(step, reply))
            }
            Command::Sender => {}
            Command::Recipient(at) => {
                // Behind a refused sender every recipient is refused too ("503 need MAIL first"): not their fault.
                let standing = match outcome_of(step, reply) {
                    _ if self.refusal.is_some() => Standing::Waiting,
                    SendOutcome::Accepted { .. } => Standing::Accepted,
                    outcome => Standing::Settled(outcome),
                };
                if let Some(slot) = self.standings.get_mut(at) {
                    *slot = standing;
                }
            }
            Command::Data if reply.code() == 354 => self.data_open = true,
            Command::Data => {
                // The refusal of a pipelined DATA behind refused recipients says nothing new.
                if self.refusal.is_none() && self.has_accepted() {
                    self.refusal = Some(match outcome_of(step, reply.clone()) {
                        SendOutcome::Accepted { .. } => SendOutcome::TransientFailure(SendFailure {
                            step,
                            sentence: format!(
                                "The sending server answered DATA with {reply}. It will be tried again."
                            ),
                            reply: Some(reply),
                            retry_after: None,
                        }),
                        outcome => outcome,
                    });
                }
            }
        }
    }

    pub(super) fn has_accepted(&self) -> bool {
        self.refusal.is_none()
            && self
                .standings
                .iter()
                .any(|standing| matches!(standing, Standing::Accepted))
    }

    fn has_waiting(&self) -> bool {
        self.standings
            .iter()
            .any(|standing| matches!(standing, Standing::Waiting))
    }

    /// The session broke: whoever is not settled yet has not got the message.
    pub(super) fn give_up(mut self, error: SmtpError) -> NotSent {
        if self.refusal.is_none() {
            let step = SmtpStep::Message;
            self.refusal = Some(SendOutcome::TransientFailure(SendFailure::from_error(
                step, &error,
            )));
        }
        self.not_sent(Some(error))
    }

    pub(super) fn not_sent(self, error: Option<SmtpError>) -> NotSent {
        let refusal = self.refusal.clone().unwrap_or_else(|| {
            SendOutcome::TransientFailure(SendFailure::local(
                SmtpStep::Message,
                "The sending server took no recipient, so the message was not sent. It will be tried again.",
            ))
        });
        NotSent {
            recipients: self.statuses(&refusal),
            error,
        }
    }

    pub(super) fn before_the_dot(self) -> Vec<RecipientStatus> {
        let cause = "The message is on its way and the sending server has not answered yet.".to_owned();
        self.statuses(&SendOutcome::Unknown { cause })
    }

    /// One status for each recipient; `others` for those that are not settled by themselves.
    fn statuses(self, others: &SendOutcome) -> Vec<RecipientStatus> {
        let addresses = self.envelope.recipients().iter();
        let statuses = addresses
            .zip(self.standings)
            .map(|(address, standing)| RecipientStatus {
                address: address.clone(),
                outcome: match standing {
                    Standing::Settled(outcome) => outcome,
                    Standing::Waiting | Standing::Accepted => others.clone(),
                },
            });
        statuses.collect()
    }
}

fn local_refusal(step: SmtpStep, sentence: String) -> SendOutcome {
    SendOutcome::PermanentFailure(SendFailure::local(step, sentence))
}
