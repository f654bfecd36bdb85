//! A signed-in session and its small commands. The others are in files of their own, by what they are about.

use std::time::Duration;

use imap_proto::Response;
use tokio::time::timeout;

use super::capability::Capabilities;
use super::connection::ImapConnection;
use super::error::{ImapError, ImapErrorKind};
use super::folder_name::quoted;
use super::limits::ImapLimits;
use super::notices::Notices;
use super::wire::Wire;
use crate::net::{Connector, Endpoint};
use crate::sasl::SignIn;

/// How long a server may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(5);

/// A signed-in session with an IMAP server: one command at a time.
///
/// A method that is dropped before it is done leaves the session unusable ([`ImapErrorKind::Interrupted`]); only
/// [`MessageFetch::next`](super::MessageFetch::next) may be dropped and called again.
#[derive(Debug)]
pub struct ImapSession {
    pub(super) wire: Wire,
    pub(super) offered: Capabilities,
    /// The selected folder was opened with CONDSTORE.
    pub(super) condstore: bool,
}

impl ImapSession {
    /// Connects and signs in with the usual limits.
    ///
    /// # Errors
    /// Says which step failed and what to do.
    pub async fn connect(
        connector: &Connector,
        endpoint: &Endpoint,
        sign_in: &SignIn,
    ) -> Result<Self, ImapError> {
        let limits = ImapLimits {
            response_time: connector.read_time_out(),
            ..ImapLimits::default()
        };
        ImapConnection::open(connector, endpoint, limits)
            .await?
            .sign_in(sign_in)
            .await
    }

    pub(super) fn new(wire: Wire, offered: Capabilities) -> Self {
        Self {
            wire,
            offered,
            condstore: false,
        }
    }

    /// What the server offers to whom is signed in.
    pub fn capabilities(&self) -> &Capabilities {
        &self.offered
    }

    /// The server.
    pub fn endpoint(&self) -> &Endpoint {
        &self.wire.endpoint
    }

    /// What changed in the selected folder since this was last asked, or since the folder was selected.
    pub fn take_notices(&mut self) -> Notices {
        std::mem::take(&mut self.wire.watch.notices)
    }

    /// Gives the server an occasion to say what changed, and shows that it is still there.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn noop(&mut self) -> Result<(), ImapError> {
        self.wire.run("NOOP", "", |_| false).await.map(drop)
    }

    /// Introduces this program (RFC 2971), where the server offers it. Some providers want that before they let one
    /// read; never sent empty, which others refuse.
    ///
    /// # Errors
    /// When the connection is lost. A server that refuses is not an error.
    pub async fn introduce(&mut self, name: &str, version: &str) -> Result<(), ImapError> {
        if !self.offered.has("ID") {
            return Ok(());
        }
        let arguments = format!("(\"name\" {} \"version\" {})", quoted(name), quoted(version));
        match self
            .wire
            .run("ID", &arguments, |response| matches!(response, Response::Id(_)))
            .await
        {
            Err(error) if !error.leaves_session_usable() => Err(error),
            _ => Ok(()),
        }
    }

    /// Says goodbye and closes the connection. Never fails and never takes long: the session is over either way.
    pub async fn logout(mut self) {
        let _answered = timeout(FAREWELL, self.wire.run("LOGOUT", "", |_| false)).await;
        self.wire.shut_down().await;
    }

    pub(super) fn need(&self, capability: &'static str) -> Result<(), ImapError> {
        if self.offered.has(capability) {
            return Ok(());
        }
        Err(self.wire.fail(ImapErrorKind::NotOffered { capability }))
    }
}
