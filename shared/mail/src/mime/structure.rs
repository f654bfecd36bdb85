//! Where the parts of a message are (RFC 2046), found by offsets only.
//!
//! Nothing here recurses and nothing is decoded: a hostile message costs at most `MAX_DEPTH` passes over its
//! bytes and `MAX_PARTS` header blocks. An attached message (`message/rfc822`) is one opaque leaf; whoever wants
//! to look inside parses its bytes as a message of its own.

use super::headers::{MessageHeaders, parse_message_headers};
use super::part_headers::PartHeaders;
use memchr::{memchr, memmem};

/// How deep multiparts may nest before a message is refused.
pub const MAX_DEPTH: usize = 50;
/// How many parts a message may have before it is refused.
pub const MAX_PARTS: usize = 5_000;
/// How long a header block may be, in bytes.
pub const MAX_HEADER_BYTES: usize = 1024 * 1024;

/// Why a message could not be understood. The caller keeps its raw bytes and quarantines it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No bytes at all.
    #[error("The message is empty")]
    Empty,
    /// Not one header field at the start: this is not a message (RFC 5322 section 2.1).
    #[error("The message has no header fields, so it is not an Internet message")]
    NoHeaders,
    /// A header block over [`MAX_HEADER_BYTES`].
    #[error("A header block of the message is longer than {MAX_HEADER_BYTES} bytes")]
    HeadersTooLong,
    /// Multiparts nested deeper than [`MAX_DEPTH`].
    #[error("The message nests its parts deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_PARTS`] parts.
    #[error("The message has more than {MAX_PARTS} parts")]
    TooManyParts,
    /// The header parser failed in a way it promises not to.
    #[error("The header parser failed on this message")]
    ParserFailed,
}

/// A message taken apart: its own headers and its leaves in the order in which they stand.
pub(super) struct Structure<'x> {
    pub(super) headers: MessageHeaders,
    pub(super) leaves: Vec<Leaf<'x>>,
}

/// A part that holds content rather than other parts.
pub(super) struct Leaf<'x> {
    pub(super) headers: PartHeaders,
    /// Still in its transfer encoding.
    pub(super) body: &'x [u8],
    /// Number of the nearest `multipart/alternative` above, if any.
    pub(super) alternative: Option<usize>,
    /// Stands below a `multipart/related`, so it may be an image of the text.
    pub(super) related: bool,
}

/// A part still to be looked at.
struct Pending<'x> {
    headers: PartHeaders,
    body: &'x [u8],
    depth: usize,
    alternative: Option<usize>,
    related: bool,
}

/// Finds all parts of a raw message.
pub(super) fn take_apart(raw: &[u8]) -> Result<Structure<'_>, ParseError> {
    if raw.is_empty() {
        return Err(ParseError::Empty);
    }
    let (header_block, body) = split_header(raw)?;
    let (headers, root) = parse_message_headers(header_block)?;
    let mut pending = vec![Pending {
        headers: root,
        body,
        depth: 0,
        alternative: None,
        related: false,
    }];
    let mut leaves = Vec::new();
    let mut parts = 1;
    while let Some(part) = pending.pop() {
        let Some(children) = part
            .headers
            .boundary()
            .and_then(|boundary| split_multipart(part.body, boundary))
        else {
            leaves.push(part.into_leaf());
            continue;
        };
        if part.depth == MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        let number = parts;
        parts += children.len();
        if parts > MAX_PARTS {
            return Err(ParseError::TooManyParts);
        }
        // Last child first, because the stack turns them round.
        for child in children.into_iter().rev() {
            pending.push(part.child(child, number)?);
        }
    }
    Ok(Structure { headers, leaves })
}

impl<'x> Pending<'x> {
    fn into_leaf(self) -> Leaf<'x> {
        let headers = self.headers.into_leaf();
        Leaf {
            headers,
            body: self.body,
            alternative: self.alternative,
            related: self.related,
        }
    }

    fn child(&self, raw: &'x [u8], number: usize) -> Result<Pending<'x>, ParseError> {
        let (header_block, body) = split_header(raw)?;
        Ok(Pending {
            headers: PartHeaders::parse(header_block, self.headers.is_multipart("digest"))?,
            body,
            depth: self.depth + 1,
            alternative: if self.headers.is_multipart("alternative") {
                Some(number)
            } else {
                self.alternative
            },
            related: self.related || self.headers.is_multipart("related"),
        })
    }
}

/// Splits a message or part into its header block, the empty line included, and its body.
pub(super) fn split_header(raw: &[u8]) -> Result<(&[u8], &[u8]), ParseError> {
    let end = header_end(raw);
    if end > MAX_HEADER_BYTES {
        return Err(ParseError::HeadersTooLong);
    }
    Ok(raw.split_at(end))
}

/// The header block of a message, of whatever length.
pub(super) fn header_block(raw: &[u8]) -> &[u8] {
    raw.get(..header_end(raw)).unwrap_or(raw)
}

/// The offset just after the first empty line; the whole length when there is none.
fn header_end(raw: &[u8]) -> usize {
    let mut line = 0;
    loop {
        match raw.get(line..) {
            Some([b'\n', ..]) => return line + 1,
            Some([b'\r', b'\n', ..]) => return line + 2,
            Some(rest) => match memchr(b'\n', rest) {
                Some(newline) => line += newline + 1,
                None => return raw.len(),
            },
            None => return raw.len(),
        }
    }
}

/// The raw children of a multipart body; `None` when the boundary opens nothing. A missing end is forgiven: the
/// last child then reaches to the end of its parent.
fn split_multipart<'x>(body: &'x [u8], boundary: &str) -> Option<Vec<&'x [u8]>> {
    let delimiter = format!("--{boundary}");
    let mut children = Vec::new();
    let mut open: Option<usize> = None;
    for at in memmem::find_iter(body, delimiter.as_bytes()) {
        if at > 0 && body.get(at - 1) != Some(&b'\n') {
            continue;
        }
        let Some(line) = DelimiterLine::read(body, at + delimiter.len()) else {
            continue;
        };
        if let Some(start) = open {
            children.push(
                body.get(start..before_line_end(body, start, at))
                    .unwrap_or_default(),
            );
        }
        open = (!line.closes).then_some(line.end);
        if line.closes || children.len() > MAX_PARTS {
            break;
        }
    }
    if let Some(start) = open {
        children.push(body.get(start..).unwrap_or_default());
    }
    (!children.is_empty()).then_some(children)
}

/// What follows the boundary on its line (RFC 2046 section 5.1.1): `--` if it is the last, padding, line end.
struct DelimiterLine {
    closes: bool,
    /// Offset of the next line.
    end: usize,
}

impl DelimiterLine {
    fn read(body: &[u8], mut at: usize) -> Option<Self> {
        let closes = body.get(at..at + 2) == Some(b"--");
        if closes {
            at += 2;
        }
        while matches!(body.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        match (body.get(at), body.get(at + 1)) {
            (None, _) => Some(Self { closes, end: at }),
            (Some(b'\n'), _) => Some(Self { closes, end: at + 1 }),
            (Some(b'\r'), Some(b'\n')) => Some(Self { closes, end: at + 2 }),
            // Text glued behind a closing delimiter is epilogue; behind an opening one it is another boundary.
            _ => closes.then_some(Self { closes, end: at }),
        }
    }
}

/// The line end before a delimiter belongs to the delimiter, not to the part.
fn before_line_end(body: &[u8], start: usize, delimiter: usize) -> usize {
    let newline = delimiter.saturating_sub(1);
    let end = if newline > 0 && body.get(newline - 1) == Some(&b'\r') {
        newline - 1
    } else {
        newline
    };
    end.max(start.min(delimiter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(raw: &str) -> Vec<String> {
        let structure = take_apart(raw.as_bytes()).unwrap();
        structure
            .leaves
            .iter()
            .map(|leaf| String::from_utf8_lossy(leaf.body).into_owned())
            .collect()
    }

    #[test]
    fn finds_the_parts_of_nested_multiparts_in_order() {
        let raw = "Content-Type: multipart/mixed; boundary=ab\r\n\r\npreamble\r\n--ab\r\n\
                   Content-Type: multipart/alternative; boundary=abc\r\n\r\n--abc\r\n\r\nplain\r\n--abc\r\n\
                   Content-Type: text/html\r\n\r\n<b>\r\n--abc--\r\n--ab  \r\n\r\nlast\r\n\r\n--ab--\r\nepilogue";
        assert_eq!(bodies(raw), ["plain", "<b>", "last\r\n"]);
    }

    #[test]
    fn forgives_a_missing_end_and_bare_line_feeds() {
        let raw = "Content-Type: multipart/mixed; boundary=\"x y\"\n\n--x y\n\none\n--x y\n\ntwo\n";
        assert_eq!(bodies(raw), ["one", "two\n"]);
    }

    #[test]
    fn a_boundary_that_never_comes_leaves_one_leaf() {
        let raw = "Content-Type: multipart/mixed; boundary=x\r\n\r\nno parts here --x\r\n";
        assert_eq!(bodies(raw), ["no parts here --x\r\n"]);
    }

    #[test]
    fn an_empty_part_is_empty() {
        assert_eq!(
            bodies("Content-Type: multipart/mixed; boundary=x\n\n--x\n--x\n\n--x--"),
            ["", ""]
        );
    }

    #[test]
    fn deep_and_wide_trees_are_refused() {
        let mut deep = String::new();
        for level in 0..=MAX_DEPTH {
            deep.push_str(&format!(
                "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
            ));
        }
        assert_eq!(take_apart(deep.as_bytes()).err(), Some(ParseError::TooDeep));
        let wide = format!(
            "Content-Type: multipart/mixed; boundary=x\n\n{}",
            "--x\n\n\n".repeat(MAX_PARTS + 1)
        );
        assert_eq!(take_apart(wide.as_bytes()).err(), Some(ParseError::TooManyParts));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        assert_eq!(take_apart(b"").err(), Some(ParseError::Empty));
        assert_eq!(
            take_apart(b"\r\n\r\nonly a body").err(),
            Some(ParseError::NoHeaders)
        );
        assert_eq!(take_apart(&[0xff; 4096]).err(), Some(ParseError::NoHeaders));
        let long = format!("Subject: {}", "x".repeat(MAX_HEADER_BYTES));
        assert_eq!(
            take_apart(long.as_bytes()).err(),
            Some(ParseError::HeadersTooLong)
        );
    }

    #[test]
    fn fifty_thousand_nested_messages_are_one_attachment() {
        let raw = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000);
        let structure = take_apart(raw.as_bytes()).unwrap();
        assert_eq!(structure.leaves.len(), 1);
        assert_eq!(structure.leaves[0].headers.content_type, "message/rfc822");
    }
}
