//! What a server offers.

use std::collections::BTreeSet;

use imap_proto::Capability;

use crate::sasl::Mechanism;

/// The capabilities that a server offered last. They change when TLS begins and again at sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

impl Capabilities {
    /// Whether a capability is offered, such as `IDLE` or `UIDPLUS`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_uppercase())
    }

    /// Whether a way to sign in is offered.
    pub fn offers(&self, mechanism: Mechanism) -> bool {
        self.has(&format!("AUTH={}", mechanism.name()))
    }

    /// The capabilities in upper case, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The names of the ways to sign in, known here or not.
    pub fn sign_in_names(&self) -> Vec<String> {
        self.iter()
            .filter_map(|name| name.strip_prefix("AUTH="))
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn read(offered: &[Capability<'_>]) -> Self {
        Self(
            offered
                .iter()
                .map(|capability| match capability {
                    Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
                    Capability::Auth(name) => format!("AUTH={}", name.to_ascii_uppercase()),
                    Capability::Atom(name) => name.to_ascii_uppercase(),
                })
                .collect(),
        )
    }

    /// Reads the code of a greeting: `* OK [CAPABILITY IMAP4rev1 IDLE] ready`.
    pub(super) fn from_greeting(line: &str) -> Self {
        let Some((_, rest)) = line.split_once("[CAPABILITY ") else {
            return Self::default();
        };
        let Some((names, _)) = rest.split_once(']') else {
            return Self::default();
        };
        Self(
            names
                .split_ascii_whitespace()
                .map(str::to_ascii_uppercase)
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_may_name_them() {
        let offered = Capabilities::from_greeting("* OK [CAPABILITY IMAP4rev1 AUTH=Plain sasl-ir] ready");
        assert!(offered.has("IMAP4rev1") && offered.has("SASL-IR") && offered.offers(Mechanism::Plain));
        assert!(!offered.offers(Mechanism::XOAuth2));
        assert_eq!(offered.sign_in_names(), ["PLAIN"]);
        assert!(Capabilities::from_greeting("* OK ready").is_empty());
    }
}
