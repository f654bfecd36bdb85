//! All known providers, and how to find one.

use std::collections::HashMap;

use postroom_events::AuthenticationMethod;
use serde::Deserialize as _;
use toml::{Table, Value};

use crate::error::ProviderDataError;
use crate::merge;
use crate::provider::{MailServer, Provider};

const BUILT_IN: &str = include_str!("../providers.toml");

/// All known providers.
#[derive(Clone, Debug)]
pub struct ProviderCatalogue {
    providers: Vec<Provider>,
    by_domain: HashMap<String, usize>,
}

impl ProviderCatalogue {
    /// The built-in providers, with the content of an operator's file laid over them.
    ///
    /// # Errors
    /// [`ProviderDataError`], naming the entry.
    pub fn load(operator_file: Option<&str>) -> Result<Self, ProviderDataError> {
        let mut tables = Vec::new();
        merge::lay_over(&mut tables, merge::entries(BUILT_IN)?)?;
        if let Some(text) = operator_file {
            merge::lay_over(&mut tables, merge::entries(text)?)?;
        }
        let providers = tables.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let by_domain = index_domains(&providers)?;
        Ok(Self { providers, by_domain })
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

    /// The provider that this MX host belongs to. Ask by domain first: a provider's own domain may have another's
    /// MX (mail.com has GMX's).
    #[must_use]
    pub fn by_mx(&self, host: &str) -> Option<&Provider> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let ends_with = |end: &String| {
            host.strip_suffix(end)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.providers
            .iter()
            .find(|provider| provider.mx.iter().any(ends_with))
    }
}

fn read(table: Table) -> Result<Provider, ProviderDataError> {
    let id = table
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let refuse = |problem: String| ProviderDataError::Provider {
        id: id.clone(),
        problem,
    };
    let provider = Provider::deserialize(table).map_err(|error| refuse(error.message().to_owned()))?;
    match problem(&provider) {
        Some(problem) => Err(refuse(problem)),
        None => Ok(provider),
    }
}

/// What the form of the file cannot say.
fn problem(provider: &Provider) -> Option<String> {
    let id_fits = |id: &str| {
        !id.is_empty()
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let bad_server = |server: &&MailServer| server.port == 0 || !is_host(&server.host);
    if !id_fits(&provider.id) {
        return Some("its id is not made of a-z, 0-9 and hyphens".to_owned());
    }
    if provider.sign_in.is_empty() {
        return Some("it has no way to sign in".to_owned());
    }
    if provider.sign_in.contains(&AuthenticationMethod::OAuth2) != provider.oauth.is_some() {
        return Some("`oauth2` in sign_in and the oauth part belong together".to_owned());
    }
    if let Some(server) = provider.imap.iter().chain(&provider.smtp).find(bad_server) {
        return Some(format!("`{}:{}` is not a server", server.host, server.port));
    }
    if let Some(name) = provider
        .domains
        .iter()
        .chain(&provider.mx)
        .find(|name| !is_host(name))
    {
        return Some(format!("`{name}` is not a domain in lower case"));
    }
    if !(60..29 * 60).contains(&provider.idle_renew().as_secs()) {
        return Some("idle_renew_secs is not between 60 and 1739".to_owned());
    }
    let links = [&provider.app_password_help, &provider.enable_imap_help];
    if links.into_iter().flatten().any(|link| link.scheme() != "https") {
        return Some("a help link is not https".to_owned());
    }
    provider.oauth.as_ref().and_then(|oauth| oauth.problem())
}

/// A name or address in lower case, as far as data need checking; who connects checks again.
fn is_host(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(allowed) && !name.starts_with('.')
}

fn index_domains(providers: &[Provider]) -> Result<HashMap<String, usize>, ProviderDataError> {
    let mut by_domain: HashMap<String, usize> = HashMap::new();
    for (index, provider) in providers.iter().enumerate() {
        for domain in &provider.domains {
            if let Some(other) = by_domain.insert(domain.clone(), index) {
                let problem = format!("its domain {domain} belongs to `{}` too", providers[other].id);
                return Err(ProviderDataError::Provider {
                    id: provider.id.clone(),
                    problem,
                });
            }
        }
    }
    Ok(by_domain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OldRefreshToken, Quirk, SentCopy, TlsMode, UsernameForm};

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
                "microsoft",
                "outlook.office365.com",
                "smtp.office365.com",
                587,
            ),
            (
                "a@hotmail.com",
                "microsoft",
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
        assert_eq!(id("ASPMX.L.GOOGLE.COM"), Some("google-workspace"));
        assert_eq!(id("smtpin.rzone.de"), Some("strato"));
        assert_eq!(id("mx.zoho.eu"), Some("zoho-eu-own-domain"));
        assert_eq!(id("mx00.gmx.net"), None, "mail.com's MX is GMX's");
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
    fn a_faulty_file_is_refused_by_name_and_cause() {
        let entry = |more: &str| {
            format!(
                "[[provider]]\nid = \"x\"\nname = \"X\"\nsign_in = [\"password\"]\nsent_saved_by_server = \"no\"\n{more}"
            )
        };
        let cases = [
            ("[[provider]".to_owned(), "line 1"),
            ("providers = 1".to_owned(), "`providers` is not known"),
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
