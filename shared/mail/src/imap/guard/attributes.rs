//! The attributes of a message: where a literal is a body, and nothing else is.
//!
//! The parser skips attributes that it does not know, and what it skips may reach over line ends. So the reading here
//! is strict: whatever the two could understand differently is malformed.

use super::LimitExceeded;

/// Where in `* n FETCH (name value name value)` the reading stands.
pub(super) struct Attributes {
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

impl Attributes {
    pub(super) fn new() -> Self {
        Self {
            at: At::Open,
            name: [0; 16],
            name_length: 0,
            is_body: false,
        }
    }

    /// Takes one byte; returns the size of the literal that it announces, if it does.
    pub(super) fn step(&mut self, byte: u8) -> Result<Option<u64>, LimitExceeded> {
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
