//! What a server says in words.

use std::fmt;

/// The longest text of a server that is kept, in characters.
const MAX_TEXT: usize = 300;

/// What a server said, made fit to be printed: no control characters, at most 300 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerText {
    /// The response code in upper case, with its arguments: `AUTHENTICATIONFAILED`, `APPENDUID 1 2`.
    pub code: Option<String>,
    /// The text after it.
    pub text: String,
}

impl ServerText {
    /// Takes a response's text apart: a leading `[CODE arguments]`, and the rest.
    pub(super) fn read(text: &str) -> Self {
        let (code, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((code, rest)) => (Some(printable(code).to_ascii_uppercase()), rest),
            None => (None, text),
        };
        Self {
            code,
            text: printable(rest.trim()),
        }
    }

    /// Whether the code's first word is `name`.
    pub fn has_code(&self, name: &str) -> bool {
        self.code.as_deref().and_then(|code| code.split(' ').next()) == Some(name)
    }
}

/// A stranger's text without control characters, of bounded length.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

impl fmt::Display for ServerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.text.as_str()) {
            (None, "") => f.write_str("(no reason given)"),
            (None, text) => write!(f, "{text:?}"),
            (Some(code), "") => write!(f, "[{code}]"),
            (Some(code), text) => write!(f, "{text:?} [{code}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_is_taken_apart_and_cleaned() {
        let answer = ServerText::read("[authenticationfailed] Wrong\x07 password");
        assert_eq!(answer.code.as_deref(), Some("AUTHENTICATIONFAILED"));
        assert_eq!(answer.text, "Wrong password");
        assert!(answer.has_code("AUTHENTICATIONFAILED"));
        assert_eq!(ServerText::read(&"x".repeat(5000)).text.len(), MAX_TEXT);
        assert_eq!(ServerText::read("[unclosed").code, None);
    }
}
