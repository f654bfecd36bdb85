//! Putting a message into a folder.

use chrono::{DateTime, Utc};

use super::answer::CompletionCode;
use super::date;
use super::error::{ImapError, ImapErrorKind};
use super::flag::Flags;
use super::folder_name::FolderName;
use super::session::ImapSession;
use super::uid::{Uid, UidValidity};
use super::wire::Event;

/// Up to this size, in bytes, a message is sent without waiting for the server's leave where it takes that
/// (LITERAL+, RFC 7888). A larger one waits: a refusal then costs nothing.
const AT_ONCE: usize = 64 * 1024;
/// What LITERAL- allows (RFC 7888 section 5).
const AT_ONCE_MINUS: usize = 4096;

impl ImapSession {
    /// Puts a message into a folder. Returns where it is, for servers that say so (APPENDUID, RFC 4315).
    ///
    /// # Errors
    /// When the folder is not there (code TRYCREATE), the message is too large, holds NUL or is empty, the server
    /// refuses or the connection is lost. After a lost connection the message may or may not be there.
    pub async fn append(
        &mut self,
        folder: &FolderName,
        flags: &Flags,
        internal_date: Option<DateTime<Utc>>,
        raw: &[u8],
    ) -> Result<Option<(UidValidity, Uid)>, ImapError> {
        if raw.is_empty() || raw.contains(&0) {
            return Err(self.wire.fail(ImapErrorKind::Argument { what: "message" }));
        }
        let at_once = (self.offered.has("LITERAL+") && raw.len() <= AT_ONCE)
            || (self.offered.has("LITERAL-") && raw.len() <= AT_ONCE_MINUS);
        let mut arguments = folder.quoted();
        if !flags.is_empty() {
            arguments.push_str(&format!(" {flags}"));
        }
        if let Some(date) = internal_date {
            arguments.push_str(&format!(" \"{}\"", date::format(date)));
        }
        arguments.push_str(&format!(" {{{}{}}}", raw.len(), if at_once { "+" } else { "" }));
        let tag = self.wire.send("APPEND", &arguments, 0).await?;
        let mut to_send = Some(raw);
        if at_once {
            self.put_literal(&mut to_send).await?;
        }
        loop {
            let wait = self.wire.limits.slow_response_time;
            // Untagged lines may come at any time, before the leave too.
            match self.wire.receive("APPEND", wait, |_| false).await?.0 {
                Event::Untagged => {}
                Event::Continue(_) => self.put_literal(&mut to_send).await?,
                Event::Done(text, ending) => {
                    let completion = self.wire.completed(&tag, &text, ending)?;
                    let CompletionCode::AppendUid(validity, uids) = completion.code else {
                        return Ok(None);
                    };
                    let uid = uids.first().copied().and_then(Uid::new);
                    return Ok(uid.map(|uid| (UidValidity(validity), uid)));
                }
            }
        }
    }

    /// Sends the message and the end of the command; a second leave to send it is a breach.
    async fn put_literal(&mut self, raw: &mut Option<&[u8]>) -> Result<(), ImapError> {
        let Some(raw) = raw.take() else {
            let what = "a second continuation request in APPEND".into();
            return Err(self.wire.broken(ImapErrorKind::Protocol { what }));
        };
        self.wire.write("APPEND", &[raw, b"\r\n"].concat()).await
    }
}
