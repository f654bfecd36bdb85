//! MIME: reading messages that came in and composing those that go out.
//!
//! A message is untrusted input of any size and shape. [`structure`](self) finds its parts by offsets, without
//! recursion and with limits on depth, count and header size; `mail-parser` then sees one header block or one
//! encoded word at a time and never the whole tree, because its own tree walk has no limit on nested messages.

mod attachment;
mod compose;
mod decode;
mod headers;
mod html;
mod identity;
mod outgoing;
mod parse;
mod part_headers;
mod snippet;
mod structure;

pub use attachment::{AttachmentContent, AttachmentInfo, attachment};
pub use compose::{ComposedMessage, compose};
pub use headers::{MailAddress, MessageHeaders};
pub use html::{html_to_text, text_to_html};
pub use identity::{IdentitySource, identity};
pub use outgoing::{ComposeError, MailAttachment, OutgoingMessage};
pub use parse::{MessageSummary, ParsedMessage, parse_for_store, parse_full};
pub use snippet::snippet_of;
pub use structure::{MAX_DEPTH, MAX_HEADER_BYTES, MAX_PARTS, ParseError};
