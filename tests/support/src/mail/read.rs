//! What is in a mailbox, as the server tells it.

use anyhow::{Context, Result};

use crate::{TestUser, Testbed};

impl Testbed {
    /// The messages of a folder in the order of their UIDs, each exactly as the server sends it.
    ///
    /// # Errors
    /// If the user or the folder is not there.
    pub async fn mailbox_raw(&self, user: &TestUser, folder: &str) -> Result<Vec<Vec<u8>>> {
        let mut session = self.imap_session(user).await?;
        session
            .command(&format!("EXAMINE \"{folder}\""))
            .await?
            .ok()
            .with_context(|| format!("opening folder {folder}"))?;
        let reply = session.command("UID FETCH 1:* BODY.PEEK[]").await?.ok()?;
        let fetched = reply
            .lines
            .into_iter()
            .filter(|line| line.text.contains(" FETCH (") && !line.literals.is_empty());
        Ok(fetched.map(|mut line| line.literals.swap_remove(0)).collect())
    }

    /// How many messages a folder holds.
    ///
    /// # Errors
    /// As [`Testbed::mailbox_raw`].
    pub async fn mailbox_count(&self, user: &TestUser, folder: &str) -> Result<usize> {
        let mut session = self.imap_session(user).await?;
        let reply = session
            .command(&format!("STATUS \"{folder}\" (MESSAGES)"))
            .await?
            .ok()?;
        let line = reply
            .lines
            .iter()
            .find(|line| line.text.starts_with("STATUS "))
            .context("no STATUS line")?;
        let (_, number) = line
            .text
            .rsplit_once("MESSAGES ")
            .context("no MESSAGES in the STATUS line")?;
        Ok(number.trim_end_matches(')').parse()?)
    }

    /// The flags of each message of a folder, in the order of the UIDs; those of one message are sorted, and `\Recent`
    /// is left out, which belongs to a session and not to the message.
    ///
    /// # Errors
    /// As [`Testbed::mailbox_raw`].
    pub async fn mailbox_flags(&self, user: &TestUser, folder: &str) -> Result<Vec<Vec<String>>> {
        let mut session = self.imap_session(user).await?;
        session.command(&format!("EXAMINE \"{folder}\"")).await?.ok()?;
        let reply = session.command("UID FETCH 1:* FLAGS").await?.ok()?;
        let mut all = Vec::new();
        for line in reply.lines.iter().filter(|line| line.text.contains(" FETCH (")) {
            let flags = line
                .text
                .split_once("FLAGS (")
                .and_then(|(_, rest)| rest.split_once(')'));
            let (flags, _) = flags.with_context(|| format!("no flags in {:?}", line.text))?;
            let lasting = flags
                .split_whitespace()
                .filter(|flag| *flag != "\\Recent")
                .map(str::to_owned);
            let mut lasting: Vec<String> = lasting.collect();
            lasting.sort();
            all.push(lasting);
        }
        Ok(all)
    }
}
