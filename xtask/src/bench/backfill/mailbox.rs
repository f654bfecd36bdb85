//! The mailbox that all contenders read: the benches' corpus, put into Dovecot's Maildir of a user of its own.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result};
use postroom_corpus::{BENCH_COUNT, BENCH_SEED, Corpus, Ownership, Written, write_maildir};
use postroom_test_support::{TestUser, Testbed};

/// Debian's user and group `mail`, who own the testbed's maildirs.
const MAIL: Ownership = Ownership { uid: 8, gid: 8 };

/// A full mailbox; dropped, it is deleted with its user.
pub(crate) struct BenchMailbox {
    /// Where the servers are.
    pub(crate) testbed: Testbed,
    /// Whose mailbox it is.
    pub(crate) user: TestUser,
    /// What it holds.
    pub(crate) content: Written,
}

impl BenchMailbox {
    /// Makes the user and fills the mailbox.
    ///
    /// # Errors
    /// The testbed is not up, or its files may not be written (which takes root's rights).
    pub(crate) async fn fill() -> Result<Arc<Self>> {
        let testbed = Testbed::load()?;
        let user = testbed.create_user("bench-backfill")?;
        let mut mailbox = Self {
            testbed,
            user,
            content: Written::default(),
        };
        let maildir = mailbox
            .testbed
            .mail_dir
            .join(&mailbox.user.address)
            .join("Maildir");
        let corpus = Corpus::new(BENCH_SEED, BENCH_COUNT);
        mailbox.content = tokio::task::spawn_blocking(move || write_maildir(&maildir, &corpus, Some(MAIL)))
            .await?
            .context("the benches' mailbox could not be filled")?;
        Ok(Arc::new(mailbox))
    }
}

impl Drop for BenchMailbox {
    fn drop(&mut self) {
        // What cannot be deleted is only clutter, and the next run has a user of its own.
        let _ = fs::remove_file(self.testbed.users_dir.join(&self.user.address));
        let _ = fs::remove_dir_all(self.testbed.mail_dir.join(&self.user.address));
    }
}
