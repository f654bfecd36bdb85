//! Puts a corpus into a Maildir, past the mail server: far faster than any delivery, and with the date of each message as its
//! INTERNALDATE.

use std::fs::{DirBuilder, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use crate::corpus::{Corpus, Flags, Mail};

/// Who is to own the files, so that the mail server may read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// User id
    pub uid: u32,
    /// Group id
    pub gid: u32,
}

/// What was put into a Maildir.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Messages
    pub messages: u64,
    /// Bytes of their sources together
    pub bytes: u64,
}

/// A message or folder could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {path} of the Maildir: {source}")]
pub struct MaildirError {
    /// The file or folder
    pub path: PathBuf,
    /// Why
    pub source: io::Error,
}

/// Writes all messages of the corpus into the Maildir `dir` (made if it is not there, with its parents), on as many threads as
/// there are processors. The names order the messages as the corpus does, so a server that finds them gives out UIDs in that order. Files and
/// the folders made belong to `owner`, if one is given (which takes root's rights). Nothing is synced to the disk: this is
/// for mail that can be made again.
///
/// # Errors
/// The first file or folder that could not be written. What was written before it stays.
pub fn write_maildir(dir: &Path, corpus: &Corpus, owner: Option<Ownership>) -> Result<Written, MaildirError> {
    for folder in [
        dir.to_path_buf(),
        dir.join("tmp"),
        dir.join("new"),
        dir.join("cur"),
    ] {
        make_folder(&folder, owner).map_err(|source| MaildirError { path: folder, source })?;
    }
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let shares: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || write_share(dir, corpus, owner, worker as u64, workers)))
            .collect();
        let mut written = Written::default();
        for share in shares {
            let part = share
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            written.messages += part.messages;
            written.bytes += part.bytes;
        }
        Ok(written)
    })
}

fn write_share(
    dir: &Path,
    corpus: &Corpus,
    owner: Option<Ownership>,
    first: u64,
    step: usize,
) -> Result<Written, MaildirError> {
    let mut written = Written::default();
    for index in (first..corpus.count()).step_by(step) {
        let mail = corpus.message(index);
        let name = file_name(&mail);
        let (before, after) = (dir.join("tmp").join(&name), dir.join("cur").join(&name));
        write_file(&before, &mail, owner)
            .and_then(|()| std::fs::rename(&before, &after))
            .map_err(|source| MaildirError { path: after, source })?;
        written.messages += 1;
        written.bytes += mail.raw.len() as u64;
    }
    Ok(written)
}

fn write_file(path: &Path, mail: &Mail, owner: Option<Ownership>) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&mail.raw)?;
    if let Some(Ownership { uid, gid }) = owner {
        fchown(&file, Some(uid), Some(gid))?;
    }
    file.set_times(FileTimes::new().set_modified(SystemTime::from(mail.received_at)))
}

/// A unique name that starts with the time of arrival, tells the size in both counts (Dovecot's `S` and `W`; they are the same, because
/// lines end with CRLF on disk too), and ends with the flags.
fn file_name(mail: &Mail) -> String {
    let (time, size) = (mail.received_at.timestamp(), mail.raw.len());
    format!(
        "{time}.M{:06}P{}.corpus,S={size},W={size}:2,{}",
        mail.index % 1_000_000,
        mail.index,
        letters(mail.flags)
    )
}

/// The flags as Maildir writes them, in the order of the alphabet.
fn letters(flags: Flags) -> String {
    [(flags.flagged, 'F'), (flags.answered, 'R'), (flags.seen, 'S')]
        .iter()
        .filter_map(|(set, letter)| set.then_some(*letter))
        .collect()
}

fn make_folder(folder: &Path, owner: Option<Ownership>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent, owner)?;
    }
    DirBuilder::new().mode(0o700).create(folder)?;
    match owner {
        Some(Ownership { uid, gid }) => chown(folder, Some(uid), Some(gid)),
        None => Ok(()),
    }
}
