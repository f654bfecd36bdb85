//! Ways to sign in: what a server offers, joined with what is known of its provider.

use postroom_events::AuthenticationMethod;
use postroom_mail::imap;
use postroom_mail::net::Endpoint;
use postroom_mail::sasl::Mechanism;
use postroom_mail::smtp::SmtpCapabilities;

/// Mechanisms that need more than a password or a token: where a server offers nothing else, its LOGIN command is
/// not to be relied on either (Exchange).
const ENTERPRISE: [&str; 6] = [
    "NTLM",
    "GSSAPI",
    "GSS-SPNEGO",
    "GS2-KRB5",
    "KERBEROS_V4",
    "EXTERNAL",
];

/// What a server offers to those who have not signed in yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) password: bool,
    pub(crate) oauth2: bool,
    /// The names of all mechanisms, known here or not.
    names: Vec<String>,
}

impl Ways {
    pub(crate) fn of_imap(offered: &imap::Capabilities) -> Self {
        let names = offered.sign_in_names();
        let only_enterprise =
            !names.is_empty() && names.iter().all(|name| ENTERPRISE.contains(&name.as_str()));
        let login_command = !offered.has("LOGINDISABLED") && !only_enterprise;
        Self {
            password: login_command || offered.offers(Mechanism::Plain) || offered.offers(Mechanism::Login),
            oauth2: offered.offers(Mechanism::XOAuth2) || offered.offers(Mechanism::OAuthBearer),
            names,
        }
    }

    pub(crate) fn of_smtp(offered: &SmtpCapabilities) -> Self {
        let has = |mechanism| offered.mechanisms.contains(&mechanism);
        Self {
            password: has(Mechanism::Plain) || has(Mechanism::Login),
            oauth2: has(Mechanism::XOAuth2) || has(Mechanism::OAuthBearer),
            names: offered.offered.clone(),
        }
    }

    fn allow(&self, method: AuthenticationMethod) -> bool {
        match method {
            AuthenticationMethod::OAuth2 => self.oauth2,
            AuthenticationMethod::Password | AuthenticationMethod::AppPassword => self.password,
        }
    }

    /// Those of the `known` ways that the server offers; all that it offers if nothing is known, or if what is known
    /// is out of date. Empty: nobody can sign in from here.
    pub(crate) fn join(&self, known: &[AuthenticationMethod]) -> Vec<AuthenticationMethod> {
        let offered = |methods: &[AuthenticationMethod]| -> Vec<_> {
            methods
                .iter()
                .copied()
                .filter(|method| self.allow(*method))
                .collect()
        };
        let joined = offered(known);
        if joined.is_empty() {
            offered(&[AuthenticationMethod::OAuth2, AuthenticationMethod::Password])
        } else {
            joined
        }
    }

    /// Why nobody can sign in from here.
    pub(crate) fn refusal(&self, at: &Endpoint) -> Option<String> {
        if self.password || self.oauth2 {
            return None;
        }
        Some(if self.names.is_empty() {
            format!("{at} lets nobody sign in")
        } else {
            let names: Vec<String> = self.names.iter().take(8).map(|name| printable(name)).collect();
            format!(
                "{at} offers only {} to sign in; its administrator must allow PLAIN or LOGIN over TLS, or OAuth 2.0",
                names.join(", ")
            )
        })
    }
}

fn printable(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .take(24)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuthenticationMethod::{AppPassword, OAuth2, Password};
    use postroom_mail::net::HostName;

    fn ways(password: bool, oauth2: bool) -> Ways {
        Ways {
            password,
            oauth2,
            names: vec!["NTLM".to_owned(), "GSSAPI".to_owned()],
        }
    }

    #[test]
    fn provider_data_choose_among_what_is_offered() {
        let both = ways(true, true);
        assert_eq!(both.join(&[]), [OAuth2, Password]);
        assert_eq!(
            both.join(&[OAuth2]),
            [OAuth2],
            "Microsoft offers PLAIN and refuses passwords"
        );
        assert_eq!(both.join(&[AppPassword, Password]), [AppPassword, Password]);
        assert_eq!(ways(true, false).join(&[OAuth2, AppPassword]), [AppPassword]);
        assert_eq!(
            ways(true, false).join(&[OAuth2]),
            [Password],
            "the data are out of date"
        );
        assert_eq!(ways(false, false).join(&[Password]), []);
    }

    #[test]
    fn who_offers_only_ntlm_is_refused_with_that_sentence() {
        let at = Endpoint::implicit(HostName::parse("exchange.house.example").unwrap(), 993);
        let sentence = ways(false, false).refusal(&at).unwrap();
        assert!(
            sentence.contains("exchange.house.example:993 offers only NTLM, GSSAPI"),
            "{sentence}"
        );
        assert_eq!(ways(true, false).refusal(&at), None);
    }
}
