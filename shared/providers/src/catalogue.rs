//! All known providers, and how to find one.

use std::collections::HashMap;

use crate::check;
use crate::error::ProviderDataError;
use crate::merge;
use crate::provider::{MailServer, Provider};
use crate::unsupported::{self, Unsupported};

const BUILT_IN: &str = include_str!("../providers.toml");

/// All known providers.
#[derive(Clone, Debug)]
pub struct ProviderCatalogue {
    providers: Vec<Provider>,
    unsupported: Vec<Unsupported>,
    by_domain: HashMap<String, usize>,
}

impl ProviderCatalogue {
    /// The built-in providers, with the content of an operator's file laid over them.
    ///
    /// # Errors
    /// [`ProviderDataError`], naming the entry.
    pub fn load(operator_file: Option<&str>) -> Result<Self, ProviderDataError> {
        let mut tables = Vec::new();
        let mut unsupported = Vec::new();
        for text in [Some(BUILT_IN), operator_file].into_iter().flatten() {
            let entries = merge::entries(text)?;
            merge::lay_over(&mut tables, entries.providers)?;
            unsupported.extend(entries.unsupported);
        }
        let providers = tables
            .into_iter()
            .map(check::read)
            .collect::<Result<Vec<_>, _>>()?;
        let by_domain = check::index_domains(&providers)?;
        check::mx_is_unambiguous(&providers)?;
        Ok(Self {
            unsupported: unsupported::read_all(unsupported)?,
            providers,
            by_domain,
        })
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub fn all(&self) -> &[Provider] {
        &self.providers
    }

    /// The provider with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// The provider that an address certainly belongs to, by its domain.
    #[must_use]
    pub fn by_address(&self, address: &str) -> Option<&Provider> {
        address
            .rsplit_once('@')
            .and_then(|(_, domain)| self.by_domain(domain))
    }

    /// The provider that owns this domain of addresses.
    #[must_use]
    pub fn by_domain(&self, domain: &str) -> Option<&Provider> {
        let index = self
            .by_domain
            .get(&domain.trim_end_matches('.').to_ascii_lowercase())?;
        self.providers.get(*index)
    }

    /// The name to sign in to SMTP with, for an account that signs in to IMAP with `login`: the same one, unless that is
    /// what the provider's data propose for IMAP and they propose another one for SMTP (iCloud).
    #[must_use]
    pub fn smtp_login<'l>(&self, provider_id: &str, login: &'l str, address: &'l str) -> &'l str {
        self.by_id(provider_id)
            .filter(|provider| provider.username.of(address) == login)
            .map_or(login, |provider| provider.smtp_username().of(address))
    }

    /// The provider that this MX host belongs to, by the longest of the known ends of names (Yahoo's and AOL's begin to
    /// differ at the third part). Ask by domain first: a provider's own domain may have another's MX (mail.com has
    /// GMX's).
    #[must_use]
    pub fn by_mx(&self, host: &str) -> Option<&Provider> {
        let host = plain(host);
        let fits = self
            .providers
            .iter()
            .flat_map(|provider| provider.mx.iter().map(move |end| (end, provider)));
        fits.filter(|(end, _)| ends_with(&host, end))
            .max_by_key(|(end, _)| end.len())
            .map(|(_, provider)| provider)
    }

    /// Whether several providers share this MX host, so that it does not tell whose mailbox a domain's is.
    #[must_use]
    pub fn is_shared_mx(&self, host: &str) -> bool {
        let host = plain(host);
        let mut ends = self.providers.iter().flat_map(|provider| &provider.mx_shared);
        ends.any(|end| ends_with(&host, end))
    }

    /// The provider whose IMAP server this is.
    #[must_use]
    pub fn by_imap_host(&self, host: &str) -> Option<&Provider> {
        self.by_server(host, |provider| &provider.imap)
    }

    /// The provider whose submission server this is.
    #[must_use]
    pub fn by_smtp_host(&self, host: &str) -> Option<&Provider> {
        self.by_server(host, |provider| &provider.smtp)
    }

    /// Among providers with the same server, the one that serves domains of others: the provider's own domains are
    /// known by themselves.
    fn by_server(&self, host: &str, servers: impl Fn(&Provider) -> &[MailServer]) -> Option<&Provider> {
        let host = plain(host);
        let has = |provider: &&Provider| servers(provider).iter().any(|server| server.host == host);
        let mut fits = self.providers.iter().filter(has);
        let for_others = fits.clone().find(|provider| !provider.mx.is_empty());
        for_others.or_else(|| fits.next())
    }

    /// The provider of this domain of addresses that cannot be connected, and why.
    #[must_use]
    pub fn unsupported(&self, domain: &str) -> Option<&Unsupported> {
        let domain = plain(domain);
        self.unsupported
            .iter()
            .find(|entry| entry.domains.contains(&domain))
    }

    /// The provider that takes the mail of a domain with this MX host and cannot be connected, and why.
    #[must_use]
    pub fn unsupported_by_mx(&self, host: &str) -> Option<&Unsupported> {
        let host = plain(host);
        let fits = |entry: &&Unsupported| entry.mx.iter().any(|end| ends_with(&host, end));
        self.unsupported.iter().find(fits)
    }
}

fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether `end` is the whole name or its last parts.
fn ends_with(host: &str, end: &str) -> bool {
    host.strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OldRefreshToken, Quirk, SentCopy, TlsMode, UsernameForm};
    use postroom_events::AuthenticationMethod;

    fn catalogue() -> ProviderCatalogue {
        ProviderCatalogue::load(None).unwrap()
    }

    #[test]
    fn smtp_wants_another_name_only_where_the_data_say_so() {
        let catalogue = catalogue();
        let address = "ada@icloud.com";
        assert_eq!(catalogue.smtp_login("icloud", "ada", address), address);
        assert_eq!(catalogue.smtp_login("icloud", "another", address), "another");
        assert_eq!(catalogue.smtp_login("custom", "ada", address), "ada");
        assert_eq!(catalogue.smtp_login("nobody", "ada", address), "ada");
    }

    #[test]
    fn an_address_leads_to_its_provider_and_servers() {
        let cases = [
            ("a@gmail.com", "google", "imap.gmail.com", "smtp.gmail.com", 465),
            (
                "a@Outlook.com",
                "outlook",
                "outlook.office365.com",
                "smtp.office365.com",
                587,
            ),
            (
                "a@hotmail.com",
                "outlook",
                "outlook.office365.com",
                "smtp.office365.com",
                587,
            ),
            (
                "a@yahoo.com",
                "yahoo",
                "imap.mail.yahoo.com",
                "smtp.mail.yahoo.com",
                465,
            ),
            ("a@aol.com", "aol", "imap.aol.com", "smtp.aol.com", 465),
            ("a@mail.com", "mailcom", "imap.mail.com", "smtp.mail.com", 465),
            ("a@me.com", "icloud", "imap.mail.me.com", "smtp.mail.me.com", 587),
            ("a@gmx.net", "gmx", "imap.gmx.net", "mail.gmx.net", 465),
            ("a@gmx.com", "gmx-com", "imap.gmx.com", "mail.gmx.com", 465),
            ("a@web.de", "webde", "imap.web.de", "smtp.web.de", 465),
            ("a@zoho.eu", "zoho-eu", "imap.zoho.eu", "smtp.zoho.eu", 465),
            (
                "\"odd@local\"@fastmail.com",
                "fastmail",
                "imap.fastmail.com",
                "smtp.fastmail.com",
                465,
            ),
        ];
        for (address, id, imap, smtp, smtp_port) in cases {
            let catalogue = catalogue();
            let provider = catalogue
                .by_address(address)
                .unwrap_or_else(|| panic!("{address}"));
            assert_eq!(provider.id, id);
            assert_eq!(
                (provider.imap[0].host.as_str(), provider.imap[0].port),
                (imap, 993)
            );
            assert_eq!(provider.imap[0].tls, TlsMode::Implicit);
            assert_eq!(
                (provider.smtp[0].host.as_str(), provider.smtp[0].port),
                (smtp, smtp_port)
            );
        }
        for address in ["a@example.org", "no at sign", "a@", "a@notgmail.com", ""] {
            assert!(catalogue().by_address(address).is_none(), "{address}");
        }
    }

    #[test]
    fn mx_hosts_lead_to_hosters_and_not_into_the_trap() {
        let catalogue = catalogue();
        let id = |host| catalogue.by_mx(host).map(|provider| provider.id.as_str());
        assert_eq!(id("contoso-com.mail.protection.outlook.com."), Some("microsoft"));
        assert_eq!(
            id("eur.olc.protection.outlook.com"),
            Some("outlook"),
            "the longest end counts"
        );
        assert_eq!(id("mta5.am0.yahoodns.net"), Some("yahoo"));
        assert_eq!(id("mx-aol.mail.gm0.yahoodns.net"), Some("aol"));
        assert_eq!(id("ASPMX.L.GOOGLE.COM"), Some("google-workspace"));
        assert_eq!(id("smtpin.rzone.de"), Some("strato"));
        assert_eq!(id("mx.zoho.eu"), Some("zoho-eu-own-domain"));
        assert_eq!(id("mx00.gmx.net"), None, "mail.com's MX is GMX's");
        assert!(catalogue.is_shared_mx("mx00.GMX.net.") && catalogue.is_shared_mx("mx0.gmx.com"));
        assert!(!catalogue.is_shared_mx("notgmx.net") && !catalogue.is_shared_mx("aspmx.l.google.com"));
        assert_eq!(id("notgoogle.com"), None);
    }

    #[test]
    fn families_share_what_they_do_not_say() {
        let catalogue = catalogue();
        let workspace = catalogue.by_id("google-workspace").unwrap();
        assert_eq!(workspace.family, "google");
        assert_eq!(workspace.budget.messages_per_day, Some(2000));
        assert_eq!(
            workspace.budget.recipients_per_message,
            Some(100),
            "from the family"
        );
        assert!(workspace.oauth.is_some() && workspace.has(Quirk::LabelsAreFolders));
    }

    #[test]
    fn facts_that_others_rely_on() {
        let catalogue = catalogue();
        let get = |id| catalogue.by_id(id).unwrap();
        assert_eq!(get("microsoft").sent_saved_by_server, SentCopy::Yes);
        assert_eq!(get("microsoft").sign_in, [AuthenticationMethod::OAuth2]);
        assert_eq!(
            get("microsoft").oauth.as_ref().unwrap().old_refresh_token,
            OldRefreshToken::Works
        );
        assert_eq!(get("yahoo").idle_renew().as_secs(), 170);
        assert_eq!(get("strato").idle_renew().as_secs(), 1500);
        assert_eq!(
            (get("icloud").username, get("icloud").smtp_username()),
            (UsernameForm::LocalPart, UsernameForm::Address)
        );
        assert!(get("strato").has(Quirk::NoImap4rev2) && get("gmx-com").has(Quirk::NoEmptyId));
        let google = get("google").oauth.as_ref().unwrap();
        assert_eq!(google.authorize_params["access_type"], "offline");
        assert_eq!(
            google.endpoints(None, None).unwrap().unwrap().token.as_str(),
            "https://oauth2.googleapis.com/token"
        );
        assert!(
            get("custom")
                .oauth
                .as_ref()
                .unwrap()
                .endpoints(None, None)
                .unwrap()
                .is_none(),
            "discovered"
        );
        assert!(get("exchange").imap.is_empty());
    }

    #[test]
    fn servers_lead_to_their_provider() {
        let catalogue = catalogue();
        let imap = |host| catalogue.by_imap_host(host).map(|provider| provider.id.as_str());
        assert_eq!(imap("imap.strato.de"), Some("strato"));
        assert_eq!(
            imap("IMAP.gmail.com"),
            Some("google-workspace"),
            "it serves domains of others"
        );
        assert_eq!(imap("imap.gmx.net"), Some("gmx"));
        assert_eq!(imap("imap.house.example"), None);
        assert_eq!(catalogue.by_smtp_host("mail.gmx.com").unwrap().id, "gmx-com");
    }

    #[test]
    fn who_cannot_be_connected_is_known_with_the_reason() {
        let catalogue = catalogue();
        assert_eq!(catalogue.unsupported("Proton.me").unwrap().name, "Proton Mail");
        assert_eq!(
            catalogue.unsupported_by_mx("mail.protonmail.ch.").unwrap().name,
            "Proton Mail"
        );
        assert!(catalogue.unsupported("gmail.com").is_none());
        assert!(
            catalogue
                .all()
                .iter()
                .all(|provider| provider.name != "Proton Mail"),
            "nobody can choose it"
        );
    }

    #[test]
    fn the_providers_that_people_have_are_all_there() {
        let catalogue = catalogue();
        for id in [
            "google",
            "google-workspace",
            "outlook",
            "microsoft",
            "aol",
            "mailcom",
            "yahoo",
            "strato",
            "exchange",
            "icloud",
            "gmx",
            "webde",
            "zoho",
            "fastmail",
            "yandex",
            "t-online",
            "ionos",
            "freenet",
            "posteo",
            "mailbox-org",
            "migadu",
            "ovh",
            "infomaniak",
            "kpn",
            "ziggo",
            "orange-fr",
            "free-fr",
            "laposte",
            "libero",
            "seznam",
        ] {
            assert!(catalogue.by_id(id).is_some(), "{id}");
        }
        for provider in catalogue.all() {
            let found_by_itself = !provider.domains.is_empty() || !provider.mx.is_empty();
            let chosen_by_hand = ["exchange", "custom"].contains(&provider.id.as_str());
            assert!(
                found_by_itself || chosen_by_hand,
                "{} can never be found",
                provider.id
            );
            assert_eq!(
                provider.imap.is_empty(),
                provider.smtp.is_empty(),
                "{}",
                provider.id
            );
            assert!(
                provider.app_password_help.is_none()
                    || provider.sign_in.contains(&AuthenticationMethod::AppPassword)
            );
        }
    }

    #[test]
    fn an_operator_adds_and_corrects_providers_with_data_alone() {
        let file = r#"
            [[provider]]
            id = "house"
            name = "Our own mail"
            domains = ["house.example"]
            imap = [{ host = "mail.house.example", port = 993, tls = "tls" }]
            smtp = [{ host = "mail.house.example", port = 587, tls = "starttls" }]
            sign_in = ["oauth2", "password"]
            sent_saved_by_server = "no"
            [provider.oauth]
            issuer = "https://sso.house.example"
            scopes = ["openid", "email", "offline_access"]
            identity_claims = ["email"]

            [[provider]]
            id = "microsoft"
            budget = { messages_per_minute = 10 }
        "#;
        let catalogue = ProviderCatalogue::load(Some(file)).unwrap();
        let house = catalogue.by_address("ada@house.example").unwrap();
        assert_eq!((house.id.as_str(), house.family.as_str()), ("house", "house"));
        let issuer = house.oauth.as_ref().unwrap().issuer_to_discover().unwrap();
        assert_eq!(issuer.as_str(), "https://sso.house.example/");
        let microsoft = catalogue.by_id("microsoft").unwrap();
        assert_eq!(microsoft.budget.messages_per_minute, Some(10));
        assert_eq!(microsoft.budget.smtp_connections, 3, "what is not named stays");
    }

    #[test]
    fn the_examples_in_the_documentation_work() {
        let text = include_str!("../../../docs/providers.md");
        let examples: Vec<_> = text
            .split("```toml\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        assert_eq!(examples.len(), 2);
        let catalogue = ProviderCatalogue::load(Some(&examples.concat())).unwrap();
        assert_eq!(catalogue.by_mx("a.mx.house.example").unwrap().id, "house");
        assert_eq!(
            catalogue.by_id("microsoft").unwrap().budget.messages_per_minute,
            Some(10)
        );
    }

    #[test]
    fn a_faulty_file_is_refused_by_name_and_cause() {
        let entry = |more: &str| {
            format!(
                "[[provider]]\nid = \"x\"\nname = \"X\"\nsign_in = [\"password\"]\nsent_saved_by_server = \"no\"\n{more}"
            )
        };
        let cases = [
            ("[[provider]".to_owned(), "line 1"),
            ("providers = 1".to_owned(), "`providers` is not known"),
            ("[provider]\nid = \"x\"".to_owned(), "begin with [[provider]]"),
            (entry("mx = [\"rzone.de\"]"), "`strato`'s too"),
            (entry("mx = [\"gmx.net\"]"), "`gmx`'s too"),
            (
                "[[unsupported]]\nname = \"Y\"\ndomains = [\"Y.example\"]\nreason = \"no\"".to_owned(),
                "`Y` in the provider file is not usable: `Y.example`",
            ),
            ("[[unsupported]]\nname = \"Y\"".to_owned(), "domains"),
            ("[[provider]]\nname = \"X\"".to_owned(), "no id"),
            (
                "[[provider]]\nid = \"x\"\nextends = \"nobody\"".to_owned(),
                "extends `nobody`",
            ),
            (
                "[[provider]]\nid = \"gmx\"\nextends = \"zoho\"".to_owned(),
                "known already",
            ),
            (entry("colour = \"red\""), "colour"),
            (entry("quirks = [\"odd\"]"), "odd"),
            (entry("domains = [\"gmail.com\"]"), "belongs to `google` too"),
            (entry("domains = [\"Big.example\"]"), "lower case"),
            (entry("idle_renew_secs = 1740"), "between 60 and 1739"),
            (
                entry("imap = [{ host = \"a b\", port = 1, tls = \"tls\" }]"),
                "`a b:1` is not a server",
            ),
            (
                entry("imap = [{ host = \"a\", port = 143, tls = \"plain\" }]"),
                "plain",
            ),
            (entry("app_password_help = \"http://x.example\""), "not https"),
            (
                entry("oauth = { scopes = [], identity_claims = [] }"),
                "belong together",
            ),
            (entry("").replace("id = \"x\"", "id = \"X Y\""), "a-z, 0-9"),
        ];
        for (file, words) in cases {
            let error = ProviderCatalogue::load(Some(&file)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
