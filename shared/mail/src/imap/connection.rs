//! A connection on which nobody has signed in yet.

use super::capability::Capabilities;
use super::error::ImapError;
use super::greeting::{self, Greeted};
use super::limits::ImapLimits;
use super::session::ImapSession;
use super::sign_in;
use super::wire::Wire;
use crate::net::{Connector, Endpoint, MailStream};
use crate::sasl::SignIn;

/// An encrypted connection to a server that is an IMAP server and has said what it offers. Enough to probe a server
/// without a credential.
#[derive(Debug)]
pub struct ImapConnection {
    wire: Wire,
    offered: Capabilities,
}

impl ImapConnection {
    /// Connects, by TLS from the start or by STARTTLS, and asks what is offered.
    ///
    /// # Errors
    /// Says which step failed and what to do.
    pub async fn open(
        connector: &Connector,
        endpoint: &Endpoint,
        limits: ImapLimits,
    ) -> Result<Self, ImapError> {
        let stream = connector.connect(endpoint).await?;
        Self::greeted(
            greeting::greet(Some(connector), endpoint, stream, &limits).await?,
            endpoint,
            limits,
        )
        .await
    }

    /// The same over a stream that somebody else made and that counts as encrypted.
    ///
    /// # Errors
    /// As [`ImapConnection::open`].
    pub async fn over(
        stream: MailStream,
        endpoint: &Endpoint,
        limits: ImapLimits,
    ) -> Result<Self, ImapError> {
        Self::greeted(
            greeting::greet(None, endpoint, stream, &limits).await?,
            endpoint,
            limits,
        )
        .await
    }

    async fn greeted(greeted: Greeted, endpoint: &Endpoint, limits: ImapLimits) -> Result<Self, ImapError> {
        let mut wire = Wire::new(greeted.stream, greeted.early, endpoint.clone(), limits);
        let offered = if greeted.offered.is_empty() {
            wire.capabilities().await?
        } else {
            greeted.offered
        };
        Ok(Self { wire, offered })
    }

    /// What the server offers before sign-in.
    pub fn capabilities(&self) -> &Capabilities {
        &self.offered
    }

    /// Signs in, by the best way that the server offers and the credential allows; one attempt, so that a wrong
    /// password does not lock an account. Asks again what is offered, because that changes with sign-in.
    ///
    /// # Errors
    /// A refusal is told apart from a server that is unavailable for the moment.
    pub async fn sign_in(mut self, credential: &SignIn) -> Result<ImapSession, ImapError> {
        sign_in::sign_in(&mut self.wire, &self.offered, credential).await?;
        let offered = self.wire.capabilities().await?;
        Ok(ImapSession::new(self.wire, offered))
    }

    /// Leaves without having signed in.
    pub async fn close(mut self) {
        self.wire.shut_down().await;
    }
}
