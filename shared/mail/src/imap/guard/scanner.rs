//! Tells lines from literals, byte by byte, across reads.

use super::LimitExceeded;
use super::attributes::Attributes;
use crate::imap::ImapLimits;

/// The longest beginning of a line that decides what it is: `* 4294967295 FETCH `.
const HEAD: usize = 24;

/// Follows the grammar byte by byte across reads.
pub(super) struct Scanner {
    line_limit: usize,
    literal_limit: u32,
    parenthesis_limit: u32,
    pub(super) allowance: u64,
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
    Fetch(Attributes),
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

impl Scanner {
    pub(super) fn new(limits: &ImapLimits) -> Self {
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

    pub(super) fn scan(&mut self, mut bytes: &[u8]) -> Result<(), LimitExceeded> {
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
        return Some(Kind::Fetch(Attributes::new()));
    }
    plain()
}

#[cfg(test)]
impl Scanner {
    /// Whether a response has just ended.
    pub(super) fn at_start(&self) -> bool {
        matches!(self.kind, Kind::Head { length: 0, .. }) && self.literal == 0
    }
}
