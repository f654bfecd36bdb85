//! Reads a server's bytes before the parser does.
//!
//! The parser is good but was not built for enemies: it recurses over nested parentheses until the stack is gone,
//! reserves whatever size a literal announces, and panics on two odd inputs. So every byte passes the [`Scanner`]
//! first. It knows just enough of the grammar to tell literals from lines exactly as the parser does; where the two
//! could come to differ (and bytes could slip by as the body of a literal that the parser does not see), it refuses.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ImapLimits;

/// Why a server's answer was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// A response outside its literals is too long.
    #[error("a line of its answer has more than {0} bytes")]
    Line(usize),
    /// A literal is too large.
    #[error("it announced {announced} bytes at once; {limit} are allowed")]
    Literal {
        /// The size announced.
        announced: u64,
        /// The size allowed.
        limit: u32,
    },
    /// Too many parentheses.
    #[error("its answer has more than {0} nested lists")]
    Parentheses(u32),
    /// Too much in answer to one command.
    #[error("it sent far more than was asked for")]
    Answer,
    /// Something that was never asked for and is dangerous or impossible to read.
    #[error("its answer is not well formed: {0}")]
    Malformed(&'static str),
}

/// A stream whose incoming bytes are scanned.
pub(super) struct Guard<S> {
    stream: S,
    /// What was read from the stream before the guard took over.
    early: Bytes,
    scanner: Scanner,
}

impl<S> Guard<S> {
    pub(super) fn new(stream: S, early: Bytes, limits: &ImapLimits) -> Self {
        Self {
            stream,
            early,
            scanner: Scanner::new(limits),
        }
    }

    /// Sets how many bytes may still come.
    pub(super) fn set_allowance(&mut self, bytes: u64) {
        self.scanner.allowance = bytes;
    }

    /// How many bytes may still come.
    pub(super) fn allowance(&self) -> u64 {
        self.scanner.allowance
    }
}

impl<S> std::fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.early.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let count = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..count]);
            this.early.advance(count);
        }
        Poll::Ready(
            this.scanner
                .scan(&buf.filled()[before..])
                .map_err(io::Error::other),
        )
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// The longest beginning of a line that decides what it is: `* 4294967295 FETCH `.
const HEAD: usize = 24;

/// Follows the grammar byte by byte across reads.
struct Scanner {
    line_limit: usize,
    literal_limit: u32,
    parenthesis_limit: u32,
    allowance: u64,
    /// Bytes of the current response outside literals.
    line: usize,
    parentheses: u32,
    /// Bytes of the current literal still to come.
    literal: u32,
    kind: Kind,
}

/// What sort of response is being read.
enum Kind {
    /// Its beginning, as far as it has come.
    Head { bytes: [u8; HEAD], length: usize },
    /// Ends in free text: a tagged line, `+`, `* OK` and the like.
    Status { brace: Brace, bracket: bool },
    /// May hold a folder name, which may be a literal.
    Named { brace: Brace },
    /// The attributes of a message, where a body is a literal.
    Fetch(Fetch),
    /// Everything else.
    Plain { brace: Brace },
}

/// Whether the bytes so far end in `{digits}` or `{digits}` CR, which before LF announces a literal.
#[derive(Clone, Copy)]
enum Brace {
    None,
    Digits(u64),
    Closed(u64),
    Cr(u64),
}

impl Brace {
    fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (_, b'{') => Self::Digits(0),
            (Self::Digits(n), b'0'..=b'9') => {
                Self::Digits(n.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
            }
            (Self::Digits(n), b'}') => Self::Closed(n),
            (Self::Closed(n), b'\r') => Self::Cr(n),
            _ => Self::None,
        }
    }

    /// The literal announced, when the next byte is LF.
    fn announced(self) -> Option<u64> {
        match self {
            Self::Closed(n) | Self::Cr(n) => Some(n),
            Self::None | Self::Digits(_) => None,
        }
    }
}

/// Where in `* n FETCH (name value name value)` the reading stands.
struct Fetch {
    at: At,
    name: [u8; 16],
    name_length: usize,
    /// The attribute has a section (`BODY[...]`): its value may be a literal.
    is_body: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Open,
    Name,
    Section,
    AfterSection,
    Partial,
    Value,
    List,
    Quoted,
    Escape,
    LiteralSize(u64),
    LiteralCr(u64),
    LiteralLf(u64),
    Bare,
    AfterValue,
    Closed,
}

impl Scanner {
    fn new(limits: &ImapLimits) -> Self {
        Self {
            line_limit: limits.line,
            literal_limit: limits.literal,
            parenthesis_limit: limits.parentheses,
            allowance: limits.answer,
            line: 0,
            parentheses: 0,
            literal: 0,
            kind: Kind::start(),
        }
    }

    fn scan(&mut self, mut bytes: &[u8]) -> Result<(), LimitExceeded> {
        self.allowance = self
            .allowance
            .checked_sub(bytes.len() as u64)
            .ok_or(LimitExceeded::Answer)?;
        while !bytes.is_empty() {
            if self.literal > 0 {
                let skipped = bytes.len().min(self.literal as usize);
                // At most the u32 that it is compared with.
                self.literal -= skipped as u32;
                bytes = &bytes[skipped..];
            } else {
                self.step(bytes[0])?;
                bytes = &bytes[1..];
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), LimitExceeded> {
        self.line += 1;
        if self.line > self.line_limit {
            return Err(LimitExceeded::Line(self.line_limit));
        }
        match byte {
            0 => return Err(LimitExceeded::Malformed("NUL")),
            // Counted without regard to quotes: what is a quote is for the parser to decide.
            b'(' => {
                self.parentheses += 1;
                if self.parentheses > self.parenthesis_limit {
                    return Err(LimitExceeded::Parentheses(self.parenthesis_limit));
                }
            }
            _ => {}
        }
        let announced = match &mut self.kind {
            Kind::Head { bytes, length } => {
                let (bytes, length) = (*bytes, *length);
                return self.step_head(bytes, length, byte);
            }
            Kind::Fetch(fetch) => {
                let Some(announced) = fetch.step(byte)? else {
                    if byte == b'\n' {
                        self.end_line();
                    }
                    return Ok(());
                };
                announced
            }
            Kind::Status { brace, bracket } => {
                // The parser cuts one byte after the code's bracket, which panics inside a character.
                if *bracket && byte >= 0x80 {
                    return Err(LimitExceeded::Malformed(
                        "a response code without a space after it",
                    ));
                }
                *bracket = byte == b']';
                if byte != b'\n' {
                    *brace = brace.next(byte);
                    return Ok(());
                }
                if brace.announced().is_some() {
                    return Err(LimitExceeded::Malformed("a literal in a status line"));
                }
                self.end_line();
                return Ok(());
            }
            Kind::Named { brace } => {
                if byte != b'\n' {
                    *brace = brace.next(byte);
                    return Ok(());
                }
                let Some(announced) = brace.announced() else {
                    self.end_line();
                    return Ok(());
                };
                *brace = Brace::None;
                // A folder name, not a body.
                if announced > self.line_limit as u64 {
                    return Err(LimitExceeded::Line(self.line_limit));
                }
                announced
            }
            Kind::Plain { brace } => {
                if byte != b'\n' {
                    *brace = brace.next(byte);
                    return Ok(());
                }
                if brace.announced().is_some() {
                    return Err(LimitExceeded::Malformed("an unexpected literal"));
                }
                self.end_line();
                return Ok(());
            }
        };
        self.begin_literal(announced)
    }

    fn step_head(&mut self, mut bytes: [u8; HEAD], mut length: usize, byte: u8) -> Result<(), LimitExceeded> {
        if let Some(place) = bytes.get_mut(length) {
            *place = byte;
            length += 1;
        }
        let head = &bytes[..length];
        let kind = classify(head);
        match kind {
            Some(kind) => self.kind = kind,
            None if length == HEAD => self.kind = Kind::Plain { brace: Brace::None },
            None => self.kind = Kind::Head { bytes, length },
        }
        if byte == b'\n' {
            self.end_line();
        }
        Ok(())
    }

    fn begin_literal(&mut self, announced: u64) -> Result<(), LimitExceeded> {
        match u32::try_from(announced) {
            Ok(size) if size <= self.literal_limit => {
                self.literal = size;
                Ok(())
            }
            _ => Err(LimitExceeded::Literal {
                announced,
                limit: self.literal_limit,
            }),
        }
    }

    fn end_line(&mut self) {
        self.line = 0;
        self.parentheses = 0;
        self.kind = Kind::start();
    }
}

impl Kind {
    fn start() -> Self {
        Self::Head {
            bytes: [0; HEAD],
            length: 0,
        }
    }
}

/// What a line is, once its beginning tells.
fn classify(head: &[u8]) -> Option<Kind> {
    let status = || {
        Some(Kind::Status {
            brace: Brace::None,
            bracket: false,
        })
    };
    let plain = || Some(Kind::Plain { brace: Brace::None });
    if head.first() != Some(&b'*') {
        // A tagged line or a continuation request; both end in text.
        return status();
    }
    let rest = match head.get(1) {
        None => return None,
        Some(b' ') => &head[2..],
        Some(_) => return plain(),
    };
    let ends = |b: &u8| *b == b' ' || *b == b'\r' || *b == b'\n';
    let word = &rest[..rest.iter().position(ends)?];
    let is = |names: &[&str]| {
        names
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    if is(&["OK", "NO", "BAD", "PREAUTH", "BYE"]) {
        return status();
    }
    if is(&["LIST", "LSUB", "STATUS"]) {
        return Some(Kind::Named { brace: Brace::None });
    }
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) || rest[word.len()] != b' ' {
        return plain();
    }
    let rest = &rest[word.len() + 1..];
    let second = &rest[..rest.iter().position(ends)?];
    if second.eq_ignore_ascii_case(b"FETCH") && rest[second.len()] == b' ' {
        return Some(Kind::Fetch(Fetch {
            at: At::Open,
            name: [0; 16],
            name_length: 0,
            is_body: false,
        }));
    }
    plain()
}

impl Fetch {
    /// Takes one byte; returns the size of the literal that it announces, if it does.
    fn step(&mut self, byte: u8) -> Result<Option<u64>, LimitExceeded> {
        let malformed = Err(LimitExceeded::Malformed("the attributes of a message"));
        self.at = match (self.at, byte) {
            (At::Open, b'(') => {
                self.begin_name();
                At::Name
            }
            (At::Name, b' ') if self.name_length == 0 => At::Name,
            (At::Name, b')') if self.name_length == 0 => At::Closed,
            (At::Name, b' ') => {
                self.check_name()?;
                At::Value
            }
            (At::Name, b'[') => {
                self.is_body = true;
                At::Section
            }
            (At::Name, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_') => {
                if let Some(place) = self.name.get_mut(self.name_length) {
                    *place = byte.to_ascii_uppercase();
                }
                self.name_length += 1;
                At::Name
            }
            (At::Section, b']') => At::AfterSection,
            (At::Section, b'\r' | b'\n' | b'{' | b'"') => return malformed,
            (At::Section, _) => At::Section,
            (At::AfterSection, b'<') => At::Partial,
            (At::AfterSection, b' ') => At::Value,
            (At::Partial, b'0'..=b'9') => At::Partial,
            (At::Partial, b'>') => At::AfterSection,
            (At::Value, b'{') if self.is_body => At::LiteralSize(0),
            (At::Value, b'"') => At::Quoted,
            // The parser unwraps the date.
            (At::Value, _) if self.name() == b"INTERNALDATE" => return malformed,
            (At::Value, b'(') => At::List,
            (At::Value, b' ' | b')' | b'{' | b'\r' | b'\n') => return malformed,
            (At::Value, _) => At::Bare,
            (At::List, b')') => At::AfterValue,
            (At::List, b'\r' | b'\n' | b'(') => return malformed,
            (At::List, _) => At::List,
            (At::Quoted, b'"') => At::AfterValue,
            (At::Quoted, b'\\') => At::Escape,
            (At::Quoted, b'\r' | b'\n') => return malformed,
            (At::Quoted, _) => At::Quoted,
            (At::Escape, b'"' | b'\\') => At::Quoted,
            (At::LiteralSize(n), b'0'..=b'9') => {
                At::LiteralSize(n.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
            }
            (At::LiteralSize(n), b'}') => At::LiteralCr(n),
            (At::LiteralCr(n), b'\r') => At::LiteralLf(n),
            (At::LiteralLf(n), b'\n') => {
                self.at = At::AfterValue;
                return Ok(Some(n));
            }
            (At::Bare | At::AfterValue, b' ') => {
                self.begin_name();
                At::Name
            }
            (At::Bare | At::AfterValue, b')') => At::Closed,
            (At::Bare, b'\r' | b'\n' | b'(' | b'"' | b'{') => return malformed,
            (At::Bare, _) => At::Bare,
            (At::Closed, b' ' | b'\r' | b'\n') => At::Closed,
            _ => return malformed,
        };
        Ok(None)
    }

    fn begin_name(&mut self) {
        self.name_length = 0;
        self.is_body = false;
    }

    fn name(&self) -> &[u8] {
        self.name.get(..self.name_length).unwrap_or_default()
    }

    /// Structures are never asked for: they are what the parser recurses over.
    fn check_name(&self) -> Result<(), LimitExceeded> {
        match self.name() {
            b"BODY" | b"BODYSTRUCTURE" | b"ENVELOPE" => Err(LimitExceeded::Malformed(
                "a message structure that was not asked for",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap_proto::Response;
    use proptest::prelude::*;

    fn limits() -> ImapLimits {
        ImapLimits {
            line: 1000,
            literal: 500,
            parentheses: 20,
            answer: 100_000,
            ..ImapLimits::default()
        }
    }

    fn scan(text: &[u8]) -> Result<(), LimitExceeded> {
        let whole = Scanner::new(&limits()).scan(text);
        let mut scanner = Scanner::new(&limits());
        let piecewise = text.chunks(1).try_for_each(|chunk| scanner.scan(chunk));
        assert_eq!(whole, piecewise, "the verdict depends on how the bytes arrive");
        whole
    }

    #[test]
    fn ordinary_answers_pass() {
        for text in [
            "* OK [CAPABILITY IMAP4rev1 SASL-IR] ready {now\r\n",
            "* CAPABILITY IMAP4rev1 IDLE\r\n",
            "+ idling\r\n",
            "+\r\n",
            "* 3 EXISTS\r\n* 2 EXPUNGE\r\n* VANISHED (EARLIER) 1:3\r\n",
            "* SEARCH 1 2 3\r\n",
            "* LIST (\\HasNoChildren) \"/\" {5}\r\na(((b\r\n",
            "* STATUS INBOX (MESSAGES 3 ) \r\n",
            "* 1 FETCH (UID 5 FLAGS (\\Seen $Junk) INTERNALDATE \" 1-Feb-2024 10:00:00 +0000\" RFC822.SIZE 9 MODSEQ (7) BODY[] {9}\r\n((({500}\r\n)\r\n",
            "* 1 FETCH (BODY[]<0> {3}\r\nabc UID 5)\r\n",
            "* 1 FETCH (BODY[HEADER.FIELDS (FROM TO)] \"a \\\"b\\\"\" UID 5 )\r\n",
            "* 1 FETCH (BODY[] NIL UID 5)\r\n",
            "* 1 fetch (body[] {0}\r\n)\r\n",
            "A1 NO [AUTHENTICATIONFAILED] wrong (really)\r\n",
        ] {
            assert_eq!(scan(text.as_bytes()), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn each_limit_ends_the_reading() {
        assert_eq!(scan(&b"x".repeat(1001)), Err(LimitExceeded::Line(1000)));
        let huge = b"* 1 FETCH (BODY[] {500000000}\r\n";
        assert_eq!(
            scan(huge),
            Err(LimitExceeded::Literal {
                announced: 500_000_000,
                limit: 500
            })
        );
        let endless = format!("* 1 FETCH (BODY[] {{{}}}\r\n", "9".repeat(100));
        assert_eq!(
            scan(endless.as_bytes()),
            Err(LimitExceeded::Literal {
                announced: u64::MAX,
                limit: 500
            })
        );
        let nested = format!("* LIST {}\r\n", "(".repeat(21));
        assert_eq!(scan(nested.as_bytes()), Err(LimitExceeded::Parentheses(20)));
        assert_eq!(scan(&b"* 1 EXISTS\r\n".repeat(9000)), Err(LimitExceeded::Answer));
        assert_eq!(
            scan(b"* LIST () \"/\" {5000}\r\n"),
            Err(LimitExceeded::Line(1000))
        );
    }

    #[test]
    fn what_the_parser_would_read_differently_or_die_of_is_refused() {
        for text in [
            // Two inputs that make the parser panic.
            &b"* 1 FETCH (INTERNALDATE NIL)\r\n"[..],
            b"A1 OK [ALERT]\xc3\xa9\r\n",
            // Structures recurse.
            b"* 1 FETCH (BODYSTRUCTURE ((((",
            b"* 1 FETCH (BODY (\"a\"",
            b"* 1 FETCH (ENVELOPE (",
            // Bytes that the parser reads as an unknown value and not as a literal.
            b"* 1 FETCH (FOO x{50}\r\n",
            b"* 1 FETCH (FOO ({50}\r\n",
            b"* 1 FETCH (FOO (a BODY[] {50}\r\n",
            b"* 1 FETCH (FOO \"\\a X (\" BODY[] {50}\r\n",
            b"* 1 FETCH (FLAGS {5}\r\n",
            // A literal that the parser sees and a line reader does not.
            b"* NO [BADCHARSET ({20}\r\n",
            b"A1 NO [BADCHARSET ({20}\r\n",
            b"* SEARCH {5}\r\n",
            b"* OK a\0b\r\n",
        ] {
            assert!(
                matches!(scan(text), Err(LimitExceeded::Malformed(_))),
                "{:?}",
                String::from_utf8_lossy(text)
            );
        }
    }

    /// Pieces from which answers are made, so that random ones come near the dangerous places.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            &b"* 1 FETCH ("[..],
            b"BODY[] ",
            b"BODY[]<0> ",
            b"{3}\r\n",
            b"{12}\r\n",
            b"abc",
            b" UID 5",
            b" ",
            b")",
            b"(",
            b"\r\n",
            b"* ",
            b"FLAGS (\\Seen)",
            b"\"",
            b"\\",
            b"FOO ",
            b"NIL",
            b"BODYSTRUCTURE ((",
            b"INTERNALDATE ",
            b"* OK ",
            b"[ALERT]",
            b"\xc3\xa9",
            b"A1 NO ",
            b"[BADCHARSET (",
            b"* LIST () \"/\" ",
            b"+ ",
            b"x",
            b"]",
            b"X-GM-LABELS (",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// Whatever passes is read by the parser without a panic, and both agree where each response ends.
        #[test]
        fn the_parser_agrees_with_the_guard(text in pieces()) {
            let mut scanner = Scanner::new(&limits());
            let mut start = 0;
            for (index, byte) in text.iter().enumerate() {
                if scanner.scan(&[*byte]).is_err() {
                    return Ok(());
                }
                let at_start = matches!(scanner.kind, Kind::Head { length: 0, .. }) && scanner.literal == 0;
                match Response::parse(&text[start..=index]) {
                    Ok((rest, _)) => {
                        prop_assert!(at_start && rest.is_empty(), "the parser ends a response inside the guard's");
                        start = index + 1;
                    }
                    Err(imap_proto_error) if imap_proto_error.is_incomplete() => {
                        prop_assert!(!at_start, "the guard ends a response that goes on for the parser");
                    }
                    Err(_) => return Ok(()),
                }
            }
        }
    }
}
