//! The address that a person typed.

use std::fmt;

use postroom_mail::net::{HostName, InvalidHostName};

/// The longest address, in bytes: 64 before the `@`, 255 behind it (RFC 5321 section 4.5.3.1).
const MAX_ADDRESS: usize = 320;
const MAX_LOCAL_PART: usize = 64;

/// An address that can be looked for: one `@`, something on both sides, and a domain that DNS can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAddress {
    text: String,
    local_part: String,
    domain: HostName,
}

/// Why a text is not an address whose servers could be looked for. Each sentence says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Nothing was given.
    #[error("No address was given. Enter one such as ann@example.com.")]
    Empty,
    /// More than an address can have.
    #[error("The address has {0} characters, more than an address can have. Check it for a typing error.")]
    TooLong(usize),
    /// More than 64 bytes before the `@`.
    #[error("The part before the @ has {0} characters; it can have at most 64. Check it for a typing error.")]
    LocalPartTooLong(usize),
    /// A line break, NUL or the like.
    #[error("The address contains a line break or another control character. Type it again.")]
    ControlCharacter,
    /// A space or something that looks like one.
    #[error("The address contains a space. Remove it, and enter one address only.")]
    Space,
    /// A character that cannot be seen (zero width, direction marks), as copying brings along.
    #[error("The address contains an invisible character (U+{:04X}). Type it again instead of pasting it.", u32::from(*.0))]
    Invisible(char),
    /// No `@`.
    #[error("The address has no @. Enter it in full, such as ann@example.com.")]
    NoAt,
    /// More than one `@`.
    #[error("The address has more than one @. Enter one address only, such as ann@example.com.")]
    SeveralAts,
    /// Nothing before the `@`.
    #[error("Nothing stands before the @. Enter the address in full, such as ann@example.com.")]
    NoLocalPart,
    /// Nothing behind the `@`.
    #[error("Nothing stands behind the @. Enter the address in full, such as ann@example.com.")]
    NoDomain,
    /// A character that ends or quotes an address.
    #[error(
        "The address contains {0:?}, which cannot be in an address here. Enter the bare address, such as ann@example.com."
    )]
    Character(char),
    /// A dot at an end of the part before the `@`, or two dots in a row.
    #[error(
        "The part before the @ begins or ends with a dot, or has two dots in a row. Check it for a typing error."
    )]
    Dots,
    /// An IP address in the place of the domain, in whatever form.
    #[error(
        "The address names a machine by its number instead of a domain. Enter an address with a domain, or enter the servers by hand."
    )]
    NumberForDomain,
    /// A domain without a dot.
    #[error("The domain \"{0}\" has no dot in it. Enter it in full, such as example.com.")]
    NoDot(String),
    /// A domain with an empty or overlong part, or one that no internationalised domain can be made of.
    #[error("The domain behind the @ is not well formed. Check it for a typing error.")]
    MalformedDomain,
}

impl MailAddress {
    /// Reads an address; spaces around it are left away. An internationalised domain is taken by its `xn--` form.
    ///
    /// # Errors
    /// [`InvalidAddress`], a sentence for the person who typed it.
    pub fn parse(typed: &str) -> Result<Self, InvalidAddress> {
        let text = typed.trim_matches(' ');
        if text.is_empty() {
            return Err(InvalidAddress::Empty);
        }
        if text.len() > MAX_ADDRESS {
            return Err(InvalidAddress::TooLong(text.chars().count()));
        }
        check_characters(text)?;
        let (local_part, domain) = text.split_once('@').ok_or(InvalidAddress::NoAt)?;
        if domain.contains('@') {
            return Err(InvalidAddress::SeveralAts);
        }
        check_local_part(local_part)?;
        Ok(Self {
            domain: read_domain(domain)?,
            local_part: local_part.to_owned(),
            text: text.to_owned(),
        })
    }

    /// The address as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// What stands behind the `@`, in ASCII and lower case.
    #[must_use]
    pub fn domain(&self) -> &HostName {
        &self.domain
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_characters(text: &str) -> Result<(), InvalidAddress> {
    for c in text.chars() {
        if c.is_control() {
            return Err(InvalidAddress::ControlCharacter);
        }
        if c.is_whitespace() {
            return Err(InvalidAddress::Space);
        }
        if is_invisible(c) {
            return Err(InvalidAddress::Invisible(c));
        }
    }
    Ok(())
}

/// Characters of no width, and marks that turn the direction of reading (Unicode category Cf, those that text editors
/// and browsers leave in copied text).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn check_local_part(local_part: &str) -> Result<(), InvalidAddress> {
    if local_part.is_empty() {
        return Err(InvalidAddress::NoLocalPart);
    }
    if local_part.len() > MAX_LOCAL_PART {
        return Err(InvalidAddress::LocalPartTooLong(local_part.chars().count()));
    }
    if let Some(c) = local_part.chars().find(|c| "()<>[]:;\\,\"".contains(*c)) {
        return Err(InvalidAddress::Character(c));
    }
    if local_part.split('.').any(str::is_empty) {
        return Err(InvalidAddress::Dots);
    }
    Ok(())
}

fn read_domain(domain: &str) -> Result<HostName, InvalidAddress> {
    if domain.is_empty() {
        return Err(InvalidAddress::NoDomain);
    }
    if domain.starts_with('[') {
        return Err(InvalidAddress::NumberForDomain);
    }
    let name = HostName::parse(domain).map_err(|error| match error {
        InvalidHostName::Character(c) => InvalidAddress::Character(c),
        InvalidHostName::OddAddress => InvalidAddress::NumberForDomain,
        InvalidHostName::Empty | InvalidHostName::TooLong(_) | InvalidHostName::Malformed => {
            InvalidAddress::MalformedDomain
        }
    })?;
    if name.ip().is_some() {
        return Err(InvalidAddress::NumberForDomain);
    }
    if !name.as_str().contains('.') {
        return Err(InvalidAddress::NoDot(name.to_string()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (typed, local_part, domain) in [
            ("ada@example.com", "ada", "example.com"),
            ("  ada@example.com ", "ada", "example.com"),
            ("Ada.Lovelace+crm@Example.COM", "Ada.Lovelace+crm", "example.com"),
            ("o'hara@x.example", "o'hara", "x.example"),
            ("jörg@bücher.example", "jörg", "xn--bcher-kva.example"),
            ("ada@例え.テスト", "ada", "xn--r8jz45g.xn--zckzah"),
            ("ada@ｅｘａｍｐｌｅ．ｃｏｍ", "ada", "example.com"),
            (
                "a_b-c!#$%&'*/=?^`{|}~@sub.example.co.uk",
                "a_b-c!#$%&'*/=?^`{|}~",
                "sub.example.co.uk",
            ),
        ] {
            let address = MailAddress::parse(typed).unwrap_or_else(|error| panic!("{typed}: {error}"));
            assert_eq!(address.local_part(), local_part);
            assert_eq!(address.domain().as_str(), domain);
            assert_eq!(address.as_str(), typed.trim());
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        use InvalidAddress as E;
        let cases = [
            ("", E::Empty),
            ("   ", E::Empty),
            ("ada", E::NoAt),
            ("ada.example.com", E::NoAt),
            ("ada@@example.com", E::SeveralAts),
            ("ada@b@example.com", E::SeveralAts),
            ("@example.com", E::NoLocalPart),
            ("ada@", E::NoDomain),
            ("@", E::NoLocalPart),
            ("ada @example.com", E::Space),
            ("ada@exam ple.com", E::Space),
            ("ada\u{a0}@example.com", E::Space),
            ("ada@example.com bob@example.com", E::Space),
            ("ada\n@example.com", E::ControlCharacter),
            ("ada@example.com\r\n", E::ControlCharacter),
            ("ada@example.com\tx", E::ControlCharacter),
            ("ada\0@example.com", E::ControlCharacter),
            ("ada\u{200b}@example.com", E::Invisible('\u{200b}')),
            ("ada@exam\u{202e}ple.com", E::Invisible('\u{202e}')),
            ("Ada<ada@example.com>", E::Character('<')),
            ("ada@example.com>", E::Character('>')),
            ("mailto:ada@example.com", E::Character(':')),
            ("\"ada\"@example.com", E::Character('"')),
            ("ada@example.com,bob", E::Character(',')),
            ("ada@https://example.com", E::Character(':')),
            ("ada@example.com/x", E::Character('/')),
            (".ada@example.com", E::Dots),
            ("ada.@example.com", E::Dots),
            ("a..b@example.com", E::Dots),
            ("ada@192.0.2.1", E::NumberForDomain),
            ("ada@[192.0.2.1]", E::NumberForDomain),
            ("ada@[IPv6:::1]", E::NumberForDomain),
            ("ada@2130706433", E::NumberForDomain),
            ("ada@0x7f000001", E::NumberForDomain),
            ("ada@１２７．０．０．１", E::NumberForDomain),
            ("ada@localhost", E::NoDot("localhost".to_owned())),
            ("ada@localhost.", E::NoDot("localhost".to_owned())),
            ("ada@.com", E::MalformedDomain),
            ("ada@example..com", E::MalformedDomain),
            ("ada@-example.com", E::MalformedDomain),
            ("ada@xn--a.com", E::MalformedDomain),
        ];
        for (typed, error) in cases {
            assert_eq!(MailAddress::parse(typed), Err(error), "{typed:?}");
        }
        let long = |n: usize| "a".repeat(n);
        assert_eq!(
            MailAddress::parse(&format!("{}@x.example", long(65))),
            Err(E::LocalPartTooLong(65))
        );
        assert_eq!(
            MailAddress::parse(&format!("a@{}.com", long(64))),
            Err(E::MalformedDomain)
        );
        assert_eq!(MailAddress::parse(&long(321)), Err(E::TooLong(321)));
        assert_eq!(
            MailAddress::parse(&format!("a@{}", "a.".repeat(140))),
            Err(E::MalformedDomain)
        );
    }
}
