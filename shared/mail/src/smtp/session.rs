//! A connection to a submission server, signed in and ready for mail.

use super::auth;
use super::capabilities::SmtpCapabilities;
use super::dialogue::{Dialogue, DialogueError, Unasked};
use super::error::{SmtpError, SmtpErrorKind, SmtpStep};
use super::reply::{ReplyClass, SmtpReply};
use crate::net::{Connector, Endpoint, HostName, MailStream, TlsMode};
use crate::sasl::SignIn;
use std::time::Duration;

/// How long each kind of answer may take. RFC 5321 section 4.5.3.2 allows minutes for all of them; a person who waits
/// for a submission server does not, so only what really takes long keeps its full time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmtpTimeOuts {
    /// One command and its reply.
    pub command: Duration,
    /// Handing over one piece of the message.
    pub piece: Duration,
    /// The answer to the final dot. Giving up early makes an unknown out of an accepted mail.
    pub acceptance: Duration,
}

impl SmtpTimeOuts {
    /// The usual times, with `command` for commands.
    pub fn with_command(command: Duration) -> Self {
        Self {
            command,
            piece: Duration::from_secs(180),
            acceptance: Duration::from_secs(600),
        }
    }
}

/// What a session can still be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// A mail was begun and given up in order; RSET before the next.
    NeedsReset,
    /// In the middle of something, or closed: fit for nothing.
    Broken,
}

/// A signed-in session. May be kept open for many messages, one at a time.
#[derive(Debug)]
pub struct SmtpSession {
    pub(super) dialogue: Dialogue,
    pub(super) endpoint: Endpoint,
    pub(super) capabilities: SmtpCapabilities,
    pub(super) time_outs: SmtpTimeOuts,
    pub(super) state: State,
}

impl SmtpSession {
    /// Connects, changes to TLS if the endpoint says so, and signs in. `ehlo_name` is how this machine introduces
    /// itself. Nothing but EHLO and STARTTLS is ever said without TLS.
    ///
    /// # Errors
    /// [`SmtpError`] saying which step failed and what to do.
    #[tracing::instrument(name = "smtp.connect", skip_all, fields(server.address = %endpoint.host, server.port = endpoint.port))]
    pub async fn connect(
        connector: &Connector,
        endpoint: &Endpoint,
        ehlo_name: &HostName,
        sign_in: &SignIn,
    ) -> Result<Self, SmtpError> {
        let mut session = Self::encrypted(connector, endpoint, ehlo_name).await?;
        session.sign_in(ehlo_name, sign_in).await?;
        Ok(session)
    }

    /// Connects, changes to TLS if the endpoint says so, and asks what the server can do. Enough to probe a server
    /// without a credential.
    ///
    /// # Errors
    /// As [`SmtpSession::connect`].
    pub async fn probe(
        connector: &Connector,
        endpoint: &Endpoint,
        ehlo_name: &HostName,
    ) -> Result<Self, SmtpError> {
        let mut session = Self::encrypted(connector, endpoint, ehlo_name).await?;
        session.introduce(ehlo_name).await?;
        Ok(session)
    }

    /// A greeted session over TLS that has not introduced itself yet.
    async fn encrypted(
        connector: &Connector,
        endpoint: &Endpoint,
        ehlo_name: &HostName,
    ) -> Result<Self, SmtpError> {
        let reached = |error| SmtpError::new(endpoint, SmtpErrorKind::Connect(error));
        let time_outs = SmtpTimeOuts::with_command(connector.read_time_out());
        let stream = connector.connect(endpoint).await.map_err(reached)?;
        let mut session = Self::greeted(stream, endpoint, time_outs).await?;
        if endpoint.tls == TlsMode::StartTls {
            session.introduce(ehlo_name).await?;
            session.ask_for_tls().await?;
            let (stream, early) = session.dialogue.into_parts();
            let stream = connector
                .start_tls(endpoint, stream, &early)
                .await
                .map_err(reached)?;
            // Everything heard so far was heard in plain text and is forgotten (RFC 3207 section 4.2).
            session.dialogue = Dialogue::new(stream);
            session.capabilities = SmtpCapabilities::default();
        }
        Ok(session)
    }

    /// Greets, and signs in if the server wants that, over a stream that is encrypted already or that its maker
    /// vouches for otherwise.
    ///
    /// # Errors
    /// As [`SmtpSession::connect`].
    pub async fn over(
        stream: MailStream,
        endpoint: &Endpoint,
        ehlo_name: &HostName,
        sign_in: Option<&SignIn>,
        time_outs: SmtpTimeOuts,
    ) -> Result<Self, SmtpError> {
        let mut session = Self::greeted(stream, endpoint, time_outs).await?;
        match sign_in {
            Some(sign_in) => session.sign_in(ehlo_name, sign_in).await?,
            None => session.introduce(ehlo_name).await?,
        }
        Ok(session)
    }

    async fn greeted(
        stream: MailStream,
        endpoint: &Endpoint,
        time_outs: SmtpTimeOuts,
    ) -> Result<Self, SmtpError> {
        let capabilities = SmtpCapabilities::default();
        let dialogue = Dialogue::new(stream);
        let mut session = Self {
            dialogue,
            endpoint: endpoint.clone(),
            capabilities,
            time_outs,
            state: State::Ready,
        };
        let greeting = session.answer(SmtpStep::Greeting).await?;
        match greeting.code() {
            220 => Ok(session),
            _ => Err(SmtpError::from_reply(endpoint, SmtpStep::Greeting, greeting)),
        }
    }

    /// EHLO, and what the server says it can do.
    async fn introduce(&mut self, ehlo_name: &HostName) -> Result<(), SmtpError> {
        let name = match ehlo_name.ip() {
            Some(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
            Some(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            None => ehlo_name.to_string(),
        };
        let reply = self
            .ask(SmtpStep::Ehlo, format!("EHLO {name}\r\n").as_bytes())
            .await?;
        if reply.class() != ReplyClass::Positive {
            return Err(SmtpError::from_reply(&self.endpoint, SmtpStep::Ehlo, reply));
        }
        self.capabilities = SmtpCapabilities::from_reply(&reply);
        Ok(())
    }

    async fn ask_for_tls(&mut self) -> Result<(), SmtpError> {
        if !self.capabilities.start_tls {
            return Err(SmtpError::new(&self.endpoint, SmtpErrorKind::StartTlsNotOffered));
        }
        let reply = self.ask(SmtpStep::StartTls, b"STARTTLS\r\n").await?;
        match reply.code() {
            220 => Ok(()),
            _ => Err(SmtpError::from_reply(&self.endpoint, SmtpStep::StartTls, reply)),
        }
    }

    async fn sign_in(&mut self, ehlo_name: &HostName, sign_in: &SignIn) -> Result<(), SmtpError> {
        self.introduce(ehlo_name).await?;
        auth::sign_in(self, sign_in).await?;
        // Some servers offer more, or another SIZE, to those they know.
        self.introduce(ehlo_name).await
    }

    /// What the server can do.
    pub fn capabilities(&self) -> &SmtpCapabilities {
        &self.capabilities
    }

    /// The server this session is with.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Changes how long answers may take.
    pub fn set_time_outs(&mut self, time_outs: SmtpTimeOuts) {
        self.time_outs = time_outs;
    }

    /// Whether another message can be sent over this session, as far as can be told without asking the server.
    pub fn is_usable(&mut self) -> bool {
        if self.state != State::Broken && self.dialogue.unasked() != Unasked::Nothing {
            self.state = State::Broken;
        }
        self.state != State::Broken
    }

    /// Asks the server whether it is still there (NOOP).
    ///
    /// # Errors
    /// [`SmtpError`] if it is not; the session is of no more use then.
    pub async fn check(&mut self) -> Result<(), SmtpError> {
        self.check_with(b"NOOP\r\n").await
    }

    /// RSET: forgets a mail that was begun.
    pub(super) async fn reset(&mut self) -> Result<(), SmtpError> {
        self.check_with(b"RSET\r\n").await?;
        self.state = State::Ready;
        Ok(())
    }

    async fn check_with(&mut self, command: &[u8]) -> Result<(), SmtpError> {
        if !self.is_usable() {
            return Err(SmtpError::new(
                &self.endpoint,
                SmtpErrorKind::Lost {
                    step: SmtpStep::Check,
                },
            ));
        }
        let reply = self.ask(SmtpStep::Check, command).await?;
        if reply.class() == ReplyClass::Positive {
            return Ok(());
        }
        self.state = State::Broken;
        Err(SmtpError::from_reply(&self.endpoint, SmtpStep::Check, reply))
    }

    /// Says good-bye. Never fails: everything that matters has been settled before.
    pub async fn quit(mut self) {
        // In the middle of a message QUIT would be part of it.
        let time_out = self.time_outs.command.min(Duration::from_secs(5));
        if self.is_usable() && self.dialogue.send(b"QUIT\r\n", time_out).await.is_ok() {
            let _ = self.dialogue.reply(time_out).await;
        }
        self.dialogue.close(time_out).await;
    }

    /// Sends one command and reads its reply.
    pub(super) async fn ask(&mut self, step: SmtpStep, command: &[u8]) -> Result<SmtpReply, SmtpError> {
        self.say(step, command).await?;
        self.answer(step).await
    }

    /// Sends one or more commands.
    pub(super) async fn say(&mut self, step: SmtpStep, commands: &[u8]) -> Result<(), SmtpError> {
        let sent = self.dialogue.send(commands, self.time_outs.command).await;
        sent.map_err(|error| self.broken(step, error))
    }

    /// Reads one reply. 421 ends the session whatever it answers (RFC 5321 section 3.8).
    pub(super) async fn answer(&mut self, step: SmtpStep) -> Result<SmtpReply, SmtpError> {
        match self.dialogue.reply(self.time_outs.command).await {
            Ok(reply) if reply.code() == 421 => {
                self.state = State::Broken;
                Err(SmtpError::new(
                    &self.endpoint,
                    SmtpErrorKind::TemporarilyUnavailable { reply },
                ))
            }
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.broken(step, error)),
        }
    }

    pub(super) fn broken(&mut self, step: SmtpStep, error: DialogueError) -> SmtpError {
        self.state = State::Broken;
        SmtpError::from_dialogue(&self.endpoint, step, error)
    }
}
