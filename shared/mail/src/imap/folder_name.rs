//! The name of a folder, safe to send.

use std::fmt;

use super::utf7;

/// The longest name that is sent or kept, in bytes on the wire.
const MAX_WIRE: usize = 2000;

/// The name of a folder as its server knows it. What people read is [`FolderName::decoded`]; what is sent is
/// [`FolderName::as_wire`]. Two names are the same when they are on the wire: servers exist that hold one spelling
/// in two encodings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderName {
    wire: String,
}

/// A text that cannot be a folder name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFolderName {
    /// Nothing was given.
    #[error("The folder name is empty. Enter a name.")]
    Empty,
    /// A line break, NUL or another control character.
    #[error("The folder name contains a control character. Enter it without line breaks.")]
    ControlCharacter,
    /// Over 2,000 bytes on the wire.
    #[error("The folder name is too long. Choose a shorter one.")]
    TooLong,
}

impl FolderName {
    /// The folder that every account has.
    pub fn inbox() -> Self {
        Self { wire: "INBOX".into() }
    }

    /// A name that a person chose.
    ///
    /// # Errors
    /// When it is empty, too long or has control characters.
    pub fn from_decoded(name: &str) -> Result<Self, InvalidFolderName> {
        if name.chars().any(char::is_control) {
            return Err(InvalidFolderName::ControlCharacter);
        }
        Self::from_wire(&utf7::encode(name))
    }

    /// A name as a server sent it (or as it was stored).
    ///
    /// # Errors
    /// When it is empty, too long or has control characters; such a folder cannot be addressed safely.
    pub fn from_wire(wire: &str) -> Result<Self, InvalidFolderName> {
        if wire.is_empty() {
            return Err(InvalidFolderName::Empty);
        }
        if wire.len() > MAX_WIRE {
            return Err(InvalidFolderName::TooLong);
        }
        if wire
            .chars()
            .any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
        {
            return Err(InvalidFolderName::ControlCharacter);
        }
        if wire.eq_ignore_ascii_case("INBOX") {
            return Ok(Self::inbox());
        }
        Ok(Self {
            wire: wire.to_owned(),
        })
    }

    /// The name on the wire, without quotes.
    pub fn as_wire(&self) -> &str {
        &self.wire
    }

    /// The name for people. A name that is not valid modified UTF-7 is shown as it came.
    pub fn decoded(&self) -> String {
        match utf7::decode(&self.wire) {
            // A control character can hide in the encoding; it must not reach a page or a log.
            Some(name) if !name.chars().any(char::is_control) => name,
            _ => self.wire.clone(),
        }
    }

    /// Whether this is the inbox.
    pub fn is_inbox(&self) -> bool {
        self.wire == "INBOX"
    }

    /// The name as an argument of a command.
    pub(super) fn quoted(&self) -> String {
        quoted(&self.wire)
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decoded())
    }
}

/// A quoted string (RFC 3501 section 4.3). The text must hold no CR, LF or NUL; `wire` refuses the command if it does.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Takes the escapes out of a string that the parser left in its quoted form. Whether it was quoted is not known any
/// more; a text that no quoted string can be was a literal and stays.
pub(super) fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('"' | '\\')) => plain.push(escaped),
                _ => return text.to_owned(),
            },
            '"' => return text.to_owned(),
            _ => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_so_that_it_stays_one_argument() {
        let name = FolderName::from_decoded(r#"a" \b ü"#).unwrap();
        assert_eq!(name.quoted(), r#""a\" \\b &APw-""#);
        assert_eq!(
            unescaped(&name.quoted()[1..name.quoted().len() - 1]),
            name.as_wire()
        );
        assert_eq!(name.decoded(), r#"a" \b ü"#);
    }

    #[test]
    fn names_that_would_break_a_command_are_refused() {
        for name in ["a\r\nA1 LOGOUT", "a\0b", "a\tb", "a\u{7f}"] {
            assert_eq!(
                FolderName::from_decoded(name),
                Err(InvalidFolderName::ControlCharacter)
            );
            assert_eq!(
                FolderName::from_wire(name),
                Err(InvalidFolderName::ControlCharacter)
            );
        }
        assert_eq!(FolderName::from_decoded(""), Err(InvalidFolderName::Empty));
        assert_eq!(
            FolderName::from_decoded(&"ü".repeat(1000)),
            Err(InvalidFolderName::TooLong)
        );
    }

    #[test]
    fn a_line_break_hidden_in_the_encoding_is_not_shown() {
        // U+000D U+000A
        let name = FolderName::from_wire("a&AA0ACg-b").unwrap();
        assert_eq!(name.decoded(), "a&AA0ACg-b");
    }

    #[test]
    fn the_inbox_is_one_folder_in_any_case() {
        assert_eq!(FolderName::from_wire("Inbox").unwrap(), FolderName::inbox());
        assert!(FolderName::from_decoded("iNBOX").unwrap().is_inbox());
    }

    #[test]
    fn a_literal_is_not_taken_for_a_quoted_string() {
        assert_eq!(unescaped(r"a\b"), r"a\b");
        assert_eq!(unescaped(r#"a"b"#), r#"a"b"#);
        assert_eq!(unescaped(r"a\\b"), r"a\b");
    }
}
