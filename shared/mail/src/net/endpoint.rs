//! Where a mail server is: a host name that is safe to use, a port and a TLS mode.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest host name that DNS can carry, in bytes (RFC 1035 section 2.3.4, without the root dot).
const MAX_NAME: usize = 253;
/// The longest part of a host name between two dots (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// A host name or IP address that is safe to resolve, to print and to send in a protocol.
///
/// Kept in ASCII and lower case; an internationalised name is kept in its `xn--` form. Whether the host may be
/// *reached* is another question: see [`AddressPolicy`](super::AddressPolicy).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Why a text is not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostName {
    /// Nothing was given.
    #[error("The server name is empty. Enter a name such as imap.example.org.")]
    Empty,
    /// More than 253 bytes.
    #[error("The server name has {0} characters; a name has at most 253. Check it for a typing error.")]
    TooLong(usize),
    /// A character that no host name has (line breaks, spaces, slashes, ...).
    #[error(
        "The server name contains {0:?}, which no server name may contain. Enter the bare name, such as imap.example.org."
    )]
    Character(char),
    /// Empty part, part over 63 characters, part that begins or ends with a hyphen.
    #[error("The server name is not well formed. Enter a name such as imap.example.org.")]
    Malformed,
    /// Ends like an IPv4 address but is not one in its usual form (`127.1`, `0x7f000001`, `2130706433`).
    #[error(
        "The server name looks like an IP address but is not one. Write an address as four numbers, such as 192.0.2.1."
    )]
    OddAddress,
}

impl HostName {
    /// Reads a host name or an IP literal (IPv6 with or without brackets).
    ///
    /// # Errors
    /// Says what is wrong with the name, in a sentence for the person who typed it.
    pub fn parse(text: &str) -> Result<Self, InvalidHostName> {
        if text.is_empty() {
            return Err(InvalidHostName::Empty);
        }
        // Before IDNA: its cost grows with the input, and so would an error that repeats it.
        if text.len() > MAX_NAME + 2 {
            return Err(InvalidHostName::TooLong(text.chars().count()));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        if let Some(wrong) = text
            .chars()
            .find(|c| c.is_control() || (c.is_ascii() && !is_name_character(*c)))
        {
            return Err(InvalidHostName::Character(wrong));
        }
        let ascii = idna::domain_to_ascii(text).map_err(|_| InvalidHostName::Malformed)?;
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        check_labels(name)?;
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The name in ASCII; an IPv6 address without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, when the "name" is an IP literal.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn check_labels(name: &str) -> Result<(), InvalidHostName> {
    if name.is_empty() || !name.chars().all(is_name_character) {
        return Err(InvalidHostName::Malformed);
    }
    if name.len() > MAX_NAME {
        return Err(InvalidHostName::TooLong(name.len()));
    }
    let well_formed = |label: &str| {
        !label.is_empty() && label.len() <= MAX_LABEL && !label.starts_with('-') && !label.ends_with('-')
    };
    if !name.split('.').all(well_formed) {
        return Err(InvalidHostName::Malformed);
    }
    // Resolvers read `127.1` and `0x7f000001` as IPv4; no top-level domain looks like a number.
    let last = name.rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").unwrap_or(last);
    let hexadecimal = last.starts_with("0x") && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if hexadecimal || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidHostName::OddAddress);
    }
    Ok(())
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = InvalidHostName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidHostName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

/// When TLS begins. There is no mode without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// From the first byte (ports 993 and 465).
    #[serde(rename = "tls")]
    Implicit,
    /// After the STARTTLS command (ports 143 and 587).
    StartTls,
}

/// Where a mail server listens and how TLS begins there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The name that is resolved and that the certificate must be for.
    pub host: HostName,
    /// The TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
}

impl Endpoint {
    /// An endpoint with TLS from the first byte.
    pub fn implicit(host: HostName, port: u16) -> Self {
        Self {
            host,
            port,
            tls: TlsMode::Implicit,
        }
    }

    /// An endpoint that begins in plain text and asks for TLS before anything else.
    pub fn start_tls(host: HostName, port: u16) -> Self {
        Self {
            host,
            port,
            tls: TlsMode::StartTls,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.ip() {
            Some(IpAddr::V6(_)) => write!(f, "[{}]:{}", self.host, self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kept_in_ascii_and_lower_case() {
        for (given, kept) in [
            ("IMAP.Example.ORG", "imap.example.org"),
            ("imap.example.org.", "imap.example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("_dmarc.example.org", "_dmarc.example.org"),
        ] {
            assert_eq!(HostName::parse(given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_its_reason() {
        use InvalidHostName::*;
        assert_eq!(HostName::parse(""), Err(Empty));
        assert_eq!(HostName::parse(&"a".repeat(300)), Err(TooLong(300)));
        assert_eq!(
            HostName::parse("imap.example.org\r\nA1 LOGOUT"),
            Err(Character('\r'))
        );
        assert_eq!(HostName::parse("imap\0.example.org"), Err(Character('\0')));
        assert_eq!(HostName::parse("https://example.org"), Err(Character(':')));
        assert_eq!(HostName::parse("user@example.org"), Err(Character('@')));
        assert_eq!(HostName::parse("a..b"), Err(Malformed));
        assert_eq!(
            HostName::parse(&format!("{}.org", "a".repeat(64))),
            Err(Malformed)
        );
        assert_eq!(HostName::parse("-a.org"), Err(Malformed));
        for odd in [
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "1.2.3.4.5",
            "127.0.0.0x1",
        ] {
            assert_eq!(HostName::parse(odd), Err(OddAddress), "{odd}");
        }
    }

    #[test]
    fn an_endpoint_prints_as_people_write_it() {
        let v6 = Endpoint::implicit(HostName::parse("::1").unwrap(), 993);
        assert_eq!(v6.to_string(), "[::1]:993");
    }

    proptest! {
        #[test]
        fn a_name_that_was_accepted_is_accepted_again_unchanged(text in "\\PC{0,40}") {
            if let Ok(name) = HostName::parse(&text) {
                prop_assert!(name.as_str().is_ascii());
                prop_assert_eq!(HostName::parse(name.as_str()).unwrap(), name);
            }
        }
    }
}
