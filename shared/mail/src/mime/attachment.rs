//! What hangs on a message: found again by its index in the one stored raw copy, never stored apart.

use super::decode::{decode_transfer, decoded_len};
use super::structure::{Leaf, ParseError, take_apart};
use std::borrow::Cow;

/// What a list of attachments shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AttachmentInfo {
    /// The file name the sender gave: no folders, no control characters.
    pub name: Option<String>,
    /// Length of the content in bytes, decoded.
    pub size: u64,
    /// Media type as declared, in lower case.
    #[serde(rename = "type")]
    pub content_type: String,
    /// `Content-ID` without brackets, which `cid:` links of the HTML name.
    pub content_id: Option<String>,
    /// Shown within the text rather than listed below it.
    pub inline: bool,
}

/// One attachment with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentContent<'x> {
    /// What the list says of it.
    pub info: AttachmentInfo,
    /// Its content, decoded; borrowed from the raw message if that holds it as it is.
    pub content: Cow<'x, [u8]>,
}

/// The attachment with that index in [`super::ParsedMessage::attachments`]; `None` if there are not so many.
///
/// # Errors
/// [`ParseError`] if the message cannot be understood.
pub fn attachment(raw: &[u8], index: usize) -> Result<Option<AttachmentContent<'_>>, ParseError> {
    let structure = take_apart(raw)?;
    let bodies = super::parse::body_leaves(&structure.leaves);
    let mut others = structure
        .leaves
        .iter()
        .enumerate()
        .filter(|(at, _)| !bodies.contains(at));
    Ok(others.nth(index).map(|(_, leaf)| AttachmentContent {
        info: AttachmentInfo::of(leaf),
        content: decode_transfer(leaf.headers.encoding, leaf.body),
    }))
}

impl AttachmentInfo {
    pub(super) fn of(leaf: &Leaf<'_>) -> Self {
        let headers = &leaf.headers;
        Self {
            name: headers.name.clone(),
            size: decoded_len(headers.encoding, leaf.body) as u64,
            content_type: headers.content_type.clone(),
            content_id: headers.content_id.clone(),
            inline: Self::is_inline(leaf),
        }
    }

    pub(super) fn is_inline(leaf: &Leaf<'_>) -> bool {
        let headers = &leaf.headers;
        let of_the_text = leaf.related && headers.content_id.is_some() && !headers.is_attachment;
        // Some programs mark every file inline; a name without a Content-ID is still a file to list.
        of_the_text || (headers.is_inline && (headers.name.is_none() || headers.content_id.is_some()))
    }
}
