//! Mailboxes full of mail, made in no time: files put straight into the maildir.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};

use crate::users::seconds_since_1970;
use crate::{TestUser, Testbed};

/// Debian's user and group `mail`, who own all maildirs.
const MAIL: Option<u32> = Some(8);

static SEQUENCE: AtomicU32 = AtomicU32::new(0);

/// A message to put into a mailbox.
#[derive(Clone, Debug)]
pub struct SeedMessage {
    raw: Vec<u8>,
    received: DateTime<Utc>,
    flags: Vec<&'static str>,
}

impl SeedMessage {
    /// A message received at the beginning of 2026, without flags. Its lines must end with CR LF.
    #[must_use]
    pub fn new(raw: impl Into<Vec<u8>>) -> Self {
        let beginning_of_2026 = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
        Self {
            raw: raw.into(),
            received: beginning_of_2026,
            flags: Vec::new(),
        }
    }

    /// When the server says it was received (INTERNALDATE). Whole seconds count.
    #[must_use]
    pub fn received(mut self, at: DateTime<Utc>) -> Self {
        self.received = at;
        self
    }

    /// Its system flags: `\Seen`, `\Answered`, `\Flagged`, `\Draft`, `\Deleted`.
    #[must_use]
    pub fn flags(mut self, flags: &[&'static str]) -> Self {
        self.flags = flags.to_vec();
        self
    }
}

impl From<Vec<u8>> for SeedMessage {
    fn from(raw: Vec<u8>) -> Self {
        Self::new(raw)
    }
}

impl Testbed {
    /// Puts messages into a folder: the server then holds exactly these bytes, with UIDs in this order. A folder that
    /// is not there is made. Thousands take seconds.
    ///
    /// `folder` is the name in IMAP's spelling (`/` between levels, modified UTF-7). A session that has the folder
    /// open sees the messages as new mail.
    ///
    /// # Errors
    /// If a message has a line that ends with a bare LF (the server would change it), or if the files cannot be
    /// written, which takes root's rights.
    pub async fn seed<M>(&self, user: &TestUser, folder: &str, messages: Vec<M>) -> Result<()>
    where
        M: Into<SeedMessage> + Send + 'static,
    {
        let maildir = self.mail_dir.join(&user.address).join("Maildir");
        let folder = folder.to_owned();
        tokio::task::spawn_blocking(move || {
            let directory = make_folder(&maildir, &folder)?;
            messages
                .into_iter()
                .try_for_each(|message| write_message(&directory, &message.into()))
        })
        .await?
        .with_context(|| format!("seeding the mailbox of {}", user.address))
    }
}

/// Makes a folder's directories and returns its own.
fn make_folder(maildir: &Path, folder: &str) -> Result<PathBuf> {
    let levels: Vec<&str> = if folder.eq_ignore_ascii_case("INBOX") {
        vec![]
    } else {
        folder.split('/').collect()
    };
    let reserved = ["", ".", "..", "cur", "new", "tmp"];
    ensure!(
        !levels.iter().any(|level| reserved.contains(level)),
        "{folder:?} cannot be a folder's name"
    );
    let home = maildir.parent().context("a maildir has a home")?;
    make_directory(home)?;
    make_directory(maildir)?;
    let mut directory = maildir.to_owned();
    for level in levels {
        directory.push(level);
        make_directory(&directory)?;
    }
    for part in ["cur", "new", "tmp"] {
        make_directory(&directory.join(part))?;
    }
    Ok(directory)
}

fn make_directory(directory: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => Ok(chown(directory, MAIL, MAIL)?),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => bail!(
            "cannot make {}: {error}; tests that seed mailboxes run as root",
            directory.display()
        ),
    }
}

/// Writes into `tmp`, then renames into `cur`. Dovecot gives UIDs in the order of the two numbers that begin the name,
/// trusts `S=` and `W=` for the sizes, and takes the file's time as INTERNALDATE.
fn write_message(directory: &Path, message: &SeedMessage) -> Result<()> {
    ensure!(
        !has_bare_line_feed(&message.raw),
        "a seed message has a line that ends without CR"
    );
    let name = format!(
        "{}.M{:07}P{}.testbed,S={size},W={size}",
        seconds_since_1970(),
        SEQUENCE.fetch_add(1, Ordering::Relaxed),
        std::process::id(),
        size = message.raw.len()
    );
    let draft = directory.join("tmp").join(&name);
    let mut file = fs::File::options().write(true).create_new(true).open(&draft)?;
    file.write_all(&message.raw)?;
    file.set_modified(
        SystemTime::UNIX_EPOCH + Duration::from_secs(message.received.timestamp().try_into()?),
    )?;
    std::os::unix::fs::fchown(&file, MAIL, MAIL)?;
    fs::rename(
        draft,
        directory
            .join("cur")
            .join(format!("{name}:2,{}", maildir_flags(&message.flags)?)),
    )?;
    Ok(())
}

fn has_bare_line_feed(raw: &[u8]) -> bool {
    let mut before = 0;
    raw.iter().any(|&byte| {
        let bare = byte == b'\n' && before != b'\r';
        before = byte;
        bare
    })
}

/// The letters of a maildir name, which stand in alphabetical order.
fn maildir_flags(flags: &[&str]) -> Result<String> {
    let mut letters = Vec::new();
    for flag in flags {
        letters.push(match *flag {
            "\\Draft" => 'D',
            "\\Flagged" => 'F',
            "\\Answered" => 'R',
            "\\Seen" => 'S',
            "\\Deleted" => 'T',
            other => bail!("a seed message cannot have the flag {other}"),
        });
    }
    letters.sort_unstable();
    Ok(letters.into_iter().collect())
}
