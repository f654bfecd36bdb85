//! Why no servers were found.

use std::fmt;

use serde::Serialize;

use crate::address::InvalidAddress;
use crate::discovered::Source;

/// What one source said that did not help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Who was asked.
    pub source: Source,
    /// What came of it.
    pub outcome: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.outcome)
    }
}

/// No servers. The `Display` is for the person who typed the address: what, why, and the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// What was typed is no address.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// The provider offers no IMAP that could be reached from here.
    #[error("{reason}")]
    Unsupported {
        /// The provider's name.
        provider: String,
        /// Why not, and what to do instead.
        reason: String,
    },
    /// Every source was asked.
    #[error("No mail server was found for {domain}{}. {}", tried_list(.tried), next_step(*.no_such_domain, *.temporary))]
    NotFound {
        /// The domain of the address.
        domain: String,
        /// Who was asked, and what came of it.
        tried: Vec<Attempt>,
        /// The domain does not exist at all.
        no_such_domain: bool,
        /// Somebody did not answer: the same question may have an answer later.
        temporary: bool,
    },
    /// Too many look for servers at the moment.
    #[error("Too many addresses are being looked up at the moment. Try again in a minute.")]
    Busy,
}

impl DiscoveryError {
    /// A short name that stays as it is.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "address_invalid",
            Self::Unsupported { .. } => "provider_unsupported",
            Self::NotFound { .. } => "servers_not_found",
            Self::Busy => "discovery_busy",
        }
    }

    /// Who was asked, and what came of it.
    #[must_use]
    pub fn tried(&self) -> &[Attempt] {
        match self {
            Self::NotFound { tried, .. } => tried,
            Self::Address(_) | Self::Unsupported { .. } | Self::Busy => &[],
        }
    }

    /// Whether the same question may be answered later without anybody changing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::NotFound { temporary: true, .. })
    }
}

fn tried_list(tried: &[Attempt]) -> String {
    let sources: Vec<_> = tried.iter().map(|attempt| attempt.source.to_string()).collect();
    match sources.split_last() {
        None => String::new(),
        Some((only, [])) => format!(" (asked: {only})"),
        Some((last, others)) => format!(" (asked: {} and {last})", others.join(", ")),
    }
}

fn next_step(no_such_domain: bool, temporary: bool) -> &'static str {
    if no_such_domain {
        "The domain does not exist: check the address for a typing error."
    } else if temporary {
        "Some of them did not answer: try again in a minute, or enter the servers by hand; the help pages of the mail \
         provider name them."
    } else {
        "Enter the servers by hand; the help pages of the mail provider, or whoever runs the domain's mail, name them."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_what_was_tried_and_what_to_do() {
        let attempt = |source| Attempt {
            source,
            outcome: "nothing".to_owned(),
        };
        let error = |no_such_domain, temporary| DiscoveryError::NotFound {
            domain: "house.example".to_owned(),
            tried: vec![
                attempt(Source::Ispdb),
                attempt(Source::Srv),
                attempt(Source::Guess),
            ],
            no_such_domain,
            temporary,
        };
        assert_eq!(
            error(false, false).to_string(),
            "No mail server was found for house.example (asked: the Mozilla database, SRV records and the usual server \
             names). Enter the servers by hand; the help pages of the mail provider, or whoever runs the domain's mail, \
             name them."
        );
        assert!(error(true, false).to_string().contains("does not exist"));
        assert!(error(false, true).to_string().contains("try again"));
        assert!(error(false, true).is_temporary() && !error(false, false).is_temporary());
    }
}
