//! Flags and keywords of messages.

use std::fmt;

/// The longest keyword that is kept, in bytes.
const MAX_KEYWORD: usize = 255;

/// A flag or keyword of a message. `\Recent` is left out: it belongs to a session, not to the message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `\Seen`: read.
    Seen,
    /// `\Answered`.
    Answered,
    /// `\Flagged`: marked as important.
    Flagged,
    /// `\Deleted`: to be expunged.
    Deleted,
    /// `\Draft`.
    Draft,
    /// A keyword, such as `$Forwarded` or `$Junk`. Made by [`Flag::keyword`] only.
    Keyword(Keyword),
}

/// A keyword that is safe to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keyword(String);

impl Keyword {
    /// The keyword as it is on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "A keyword consists of 1 to 255 letters, digits and signs, without spaces, quotes, brackets, backslash, % and *."
)]
pub struct InvalidKeyword;

impl Flag {
    /// A keyword.
    ///
    /// # Errors
    /// When the text is not an IMAP atom of at most 255 bytes.
    pub fn keyword(text: &str) -> Result<Self, InvalidKeyword> {
        let special = |b: u8| b"(){ %*\"\\]".contains(&b) || !b.is_ascii_graphic();
        if text.is_empty() || text.len() > MAX_KEYWORD || text.bytes().any(special) {
            return Err(InvalidKeyword);
        }
        Ok(Self::Keyword(Keyword(text.to_owned())))
    }

    /// Reads a flag from the wire or from storage; `None` for `\Recent`, `\*`, unknown system flags and texts that
    /// could not be sent back.
    pub fn from_wire(text: &str) -> Option<Self> {
        let system = [
            Self::Seen,
            Self::Answered,
            Self::Flagged,
            Self::Deleted,
            Self::Draft,
        ];
        match system
            .into_iter()
            .find(|flag| flag.as_wire().eq_ignore_ascii_case(text))
        {
            Some(flag) => Some(flag),
            None => Self::keyword(text).ok(),
        }
    }

    /// The flag as it is on the wire.
    pub fn as_wire(&self) -> &str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Keyword(keyword) => keyword.as_str(),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_wire())
    }
}

/// The flags of a message, sorted and each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(Vec<Flag>);

impl Flags {
    /// Whether `flag` is set.
    pub fn contains(&self, flag: &Flag) -> bool {
        self.0.binary_search(flag).is_ok()
    }

    /// The flags, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Flag> {
        self.0.iter()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn from_server<T: AsRef<str>>(texts: &[T]) -> Self {
        texts
            .iter()
            .filter_map(|text| Flag::from_wire(text.as_ref()))
            .collect()
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        let mut flags: Vec<Flag> = flags.into_iter().collect();
        flags.sort();
        flags.dedup();
        Self(flags)
    }
}

impl fmt::Display for Flags {
    /// The flags as a list on the wire: `(\Seen $Forwarded)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (index, flag) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            flag.fmt(f)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_any_case_and_printed_for_the_wire() {
        let flags = Flags::from_server(&[
            "\\seen",
            "$Forwarded",
            "\\Recent",
            "\\*",
            "\\SEEN",
            "\\Unknown",
            "a b",
        ]);
        assert_eq!(flags.to_string(), "(\\Seen $Forwarded)");
        assert!(flags.contains(&Flag::Seen) && !flags.contains(&Flag::Deleted));
        assert_eq!(Flags::default().to_string(), "()");
    }

    #[test]
    fn a_keyword_that_would_break_a_command_is_refused() {
        for text in [
            "",
            "a b",
            "a)",
            "a\r\n",
            "\\Seen",
            "a\"",
            "ü",
            "a*",
            &"a".repeat(256),
        ] {
            assert_eq!(Flag::keyword(text), Err(InvalidKeyword), "{text:?}");
        }
        assert!(Flag::keyword("$MDNSent").is_ok());
    }
}
