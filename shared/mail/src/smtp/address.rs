//! Which addresses may go into an SMTP command or a header.

/// What is wrong with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// No `@` with something on both sides.
    #[error("it needs a name, an @ and a domain, such as ann@example.com")]
    NoDomain,
    /// CR, LF, NUL or another control character: the way to smuggle a command in.
    #[error("it holds a line break or another control character")]
    ControlCharacter,
    /// A character that ends or quotes an address.
    #[error("it holds the character {0:?}, which no mail address can have")]
    Character(char),
    /// RFC 5321 section 4.5.3.1: 64 bytes before the `@`, 255 behind it.
    #[error("it is too long")]
    TooLong,
}

/// Checks that an address is one and can be written between `<` and `>` without ending anything early. Stricter than
/// RFC 5321 in one point: a quoted name (`"a b"@example.com`) is refused.
///
/// # Errors
/// [`AddressError`], worded to stand behind a colon.
pub fn check_address(address: &str) -> Result<(), AddressError> {
    if address.is_empty() {
        return Err(AddressError::Empty);
    }
    if address.chars().any(char::is_control) {
        return Err(AddressError::ControlCharacter);
    }
    let (name, domain) = address.rsplit_once('@').ok_or(AddressError::NoDomain)?;
    if name.is_empty() || domain.is_empty() {
        return Err(AddressError::NoDomain);
    }
    if name.len() > 64 || domain.len() > 255 {
        return Err(AddressError::TooLong);
    }
    let bad_in_name = |c: &char| c.is_whitespace() || "()<>[]:;@\\,\"".contains(*c);
    // Brackets and colons are those of an address literal, `[IPv6:::1]`.
    let bad_in_domain = |c: &char| !(c.is_alphanumeric() || "-._[]:".contains(*c) || is_mark(*c));
    let bad = name
        .chars()
        .find(bad_in_name)
        .or_else(|| domain.chars().find(bad_in_domain));
    bad.map_or(Ok(()), |c| Err(AddressError::Character(c)))
}

/// Letters of an internationalised domain may carry combining marks, which are not alphanumeric.
fn is_mark(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good_addresses_pass() {
        for good in [
            "ann@example.com",
            "a.b+c@x.example",
            "o'hara@x",
            "jörg@bücher.example",
            "a@[192.0.2.1]",
        ] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn bad_addresses_say_why() {
        use AddressError as E;
        for (bad, error) in [
            ("", E::Empty),
            ("ann", E::NoDomain),
            ("@x", E::NoDomain),
            ("a@", E::NoDomain),
            ("a@x\r\nDATA", E::ControlCharacter),
            ("a\0@x", E::ControlCharacter),
            ("a b@x", E::Character(' ')),
            ("a@x y", E::Character(' ')),
            ("a@x>", E::Character('>')),
            ("<a@x", E::Character('<')),
            ("a@b@x", E::Character('@')),
            ("a\u{a0}b@x", E::Character('\u{a0}')),
        ] {
            assert_eq!(check_address(bad), Err(error), "{bad:?}");
        }
        assert_eq!(check_address(&format!("{}@x", "a".repeat(65))), Err(E::TooLong));
        assert_eq!(check_address(&format!("a@{}", "x".repeat(300))), Err(E::TooLong));
    }

    proptest! {
        #[test]
        fn what_passes_cannot_end_a_command(address in any::<String>()) {
            if check_address(&address).is_ok() {
                prop_assert!(!address.contains(['\r', '\n', '\0', '<', '>', ' ']));
            }
        }
    }
}
