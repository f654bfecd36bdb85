//! What happens to a mailbox from outside: another client's flags, an administrator's commands.

use anyhow::Result;

use crate::command::run;
use crate::{TestUser, Testbed};

impl Testbed {
    /// Runs `doveadm ARGS` and returns what it prints.
    ///
    /// # Errors
    /// If doveadm fails; the error holds its words.
    pub async fn doveadm(&self, args: &[&str]) -> Result<String> {
        run(&self.doveadm, args, &format!("doveadm {}", args.join(" "))).await
    }

    /// Adds a flag (`\Seen`, a keyword) to the messages that `query` finds in a folder: `all`, `uid 1:3`.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`].
    pub async fn add_flag(&self, user: &TestUser, folder: &str, query: &str, flag: &str) -> Result<()> {
        self.on_messages(&["flags", "add"], user, &[flag], folder, query)
            .await
    }

    /// Takes a flag away from the messages that `query` finds in a folder.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`].
    pub async fn remove_flag(&self, user: &TestUser, folder: &str, query: &str, flag: &str) -> Result<()> {
        self.on_messages(&["flags", "remove"], user, &[flag], folder, query)
            .await
    }

    /// Deletes for good the messages that `query` finds in a folder.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`].
    pub async fn expunge(&self, user: &TestUser, folder: &str, query: &str) -> Result<()> {
        self.on_messages(&["expunge"], user, &[], folder, query).await
    }

    /// Moves the messages that `query` finds in a folder to another one, which must exist.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`].
    pub async fn move_messages(
        &self,
        user: &TestUser,
        folder: &str,
        query: &str,
        target: &str,
    ) -> Result<()> {
        self.on_messages(&["move"], user, &[target], folder, query).await
    }

    async fn on_messages(
        &self,
        verb: &[&str],
        user: &TestUser,
        object: &[&str],
        folder: &str,
        query: &str,
    ) -> Result<()> {
        let query: Vec<&str> = query.split_whitespace().collect();
        let args = [verb, &["-u", &user.address], object, &["mailbox", folder], &query].concat();
        self.doveadm(&args).await.map(drop)
    }

    /// Makes a folder and subscribes to it. `/` separates levels.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`]; also if the folder exists.
    pub async fn create_folder(&self, user: &TestUser, folder: &str) -> Result<()> {
        self.doveadm(&["mailbox", "create", "-s", "-u", &user.address, folder])
            .await
            .map(drop)
    }

    /// Gives a folder another UIDVALIDITY, as a server does that has lost its index.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`].
    pub async fn set_uid_validity(&self, user: &TestUser, folder: &str, value: u32) -> Result<()> {
        let value = value.to_string();
        self.doveadm(&[
            "mailbox",
            "update",
            "-u",
            &user.address,
            "--uid-validity",
            &value,
            folder,
        ])
        .await
        .map(drop)
    }

    /// Ends all IMAP sessions of the user; with none there, nothing happens.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`], save that nobody was signed in.
    pub async fn kick(&self, user: &TestUser) -> Result<()> {
        if self.sessions(user).await? > 0 {
            self.doveadm(&["kick", &user.address]).await?;
        }
        Ok(())
    }

    /// How many IMAP sessions the user has.
    ///
    /// # Errors
    /// As [`Testbed::doveadm`].
    pub async fn sessions(&self, user: &TestUser) -> Result<usize> {
        let table = self.doveadm(&["who", "-1", &user.address]).await?;
        Ok(table
            .lines()
            .filter(|line| line.split_whitespace().next() == Some(&user.address))
            .count())
    }
}
