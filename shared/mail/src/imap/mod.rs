//! An IMAP client for servers that nobody vouches for (RFC 3501, RFC 9051 where servers offer it).
//!
//! How it is put together, from the bottom up:
//! - `guard` sits between the TLS stream and the parser and ends the connection before a hostile answer can
//!   cost memory, time or the process's stack;
//! - `async-imap` turns the guarded bytes into parsed responses. Its command helpers are not used: they send
//!   arguments unchecked, drop APPENDUID, COPYUID and unsolicited EXPUNGE, and reduce a refusal to a debug string;
//! - `wire` sends whole commands in one write and attributes every response; it also keeps secrets out of
//!   async-imap's `log::trace!`. The targets `async_imap` and `imap_proto` must stay filtered out all the same: at
//!   trace level they print mail;
//! - [`ImapSession`] has one method per thing that a caller wants.
//!
//! A session that is dropped in the middle of a command cannot be used again by mistake: the next command fails
//! with [`ImapErrorKind::Interrupted`] instead of reading somebody else's answer.

mod answer;
mod append;
mod body;
mod capability;
mod change;
mod connection;
mod date;
mod error;
mod fetch;
mod fetch_messages;
mod flag;
mod folder;
mod folder_name;
mod greeting;
mod guard;
mod idle;
mod limits;
mod notices;
mod role;
mod search;
mod sentence;
mod server_text;
mod session;
mod sign_in;
mod uid;
mod utf7;
mod wire;

pub use capability::Capabilities;
pub use change::{CopiedUids, FlagChange, MoveOutcome};
pub use connection::ImapConnection;
pub use error::{ImapError, ImapErrorKind};
pub use fetch::{BodyPieces, MessageFlags, MessageSize};
pub use fetch_messages::{FetchSettings, FetchedMessage, MessageFetch, ServerMessageId};
pub use flag::{Flag, Flags, InvalidKeyword, Keyword};
pub use folder::{FolderStatus, ListedFolder, Selected};
pub use folder_name::{FolderName, InvalidFolderName};
pub use guard::LimitExceeded;
pub use idle::IdleOutcome;
pub use limits::ImapLimits;
pub use notices::Notices;
pub use role::FolderRole;
pub use server_text::ServerText;
pub use session::ImapSession;
pub use uid::{ModSeq, Uid, UidSet, UidValidity};
