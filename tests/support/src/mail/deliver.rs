//! New mail, the way it comes in.

use anyhow::{Context, Result};

use crate::mail::dialogue::Dialogue;
use crate::{TestUser, Testbed};

/// The envelope sender of delivered mail. Mail to it, a bounce for example, ends in the sink.
const SENDER: &str = "sender@elsewhere.example";

impl Testbed {
    /// Delivers a message into the user's INBOX by LMTP.
    ///
    /// Dovecot writes `Return-Path`, `Delivered-To` and `Received` in front of it; below them stands `raw`, byte for
    /// byte. For a mailbox that holds exactly `raw`, use [`Testbed::seed`].
    ///
    /// # Errors
    /// If Dovecot refuses the user or the message.
    pub async fn deliver(&self, user: &TestUser, raw: &[u8]) -> Result<()> {
        self.deliver_to(&user.address, raw)
            .await
            .with_context(|| format!("delivering to {}", user.address))
    }

    async fn deliver_to(&self, address: &str, raw: &[u8]) -> Result<()> {
        let mut lmtp = Dialogue::connect(&self.lmtp.host, self.lmtp.port).await?;
        lmtp.command("LHLO localhost").await?.expect_code(250)?;
        lmtp.command(&format!("MAIL FROM:<{SENDER}>"))
            .await?
            .expect_code(250)?;
        lmtp.command(&format!("RCPT TO:<{address}>"))
            .await?
            .expect_code(250)?;
        lmtp.command("DATA").await?.expect_code(354)?;
        lmtp.send_message(raw).await?;
        lmtp.reply().await?.expect_code(250)?;
        lmtp.command("QUIT").await?.expect_code(221)?;
        Ok(())
    }
}
