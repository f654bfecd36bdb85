//! From what a person or program entered to an account that can be proved: every field checked, all faults told at once.

use postroom_events::{AccountId, AuthenticationMethod};
use postroom_mail::net::{Endpoint, TlsMode};
use postroom_providers::ProviderCatalogue;
use postroom_store::{Account, accounts::ServerAddress};
use serde::{Deserialize, Serialize};

pub(crate) use super::servers::ServerInput;
use super::{
    fields::{
        check_login, check_mailbox, check_sender_name, check_signs_in_as, check_user_ref, find_provider,
        not_offered,
    },
    servers::{IMAP, SMTP},
};
use crate::http::problem::FieldProblem;

/// Id of the provider that stands for none of those known.
const CUSTOM: &str = "custom";

/// An account as entered; empty means not given.
#[derive(Debug, Clone)]
pub(crate) struct DraftInput {
    pub(crate) user_ref: String,
    pub(crate) address: String,
    pub(crate) sender_name: String,
    pub(crate) provider: String,
    pub(crate) imap: ServerInput,
    pub(crate) smtp: ServerInput,
    pub(crate) login: String,
    pub(crate) method: AuthenticationMethod,
    pub(crate) registration: String,
    pub(crate) signs_in_as: String,
}

/// An account that is to be connected, or connected again: checked, not yet proved. Holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectDraft {
    /// The account, where it exists already.
    pub account_id: Option<AccountId>,
    /// The CRM's id of the person.
    pub user_ref: String,
    /// The mailbox's address.
    pub address: String,
    /// Name shown beside the address in outgoing mail.
    pub sender_name: String,
    /// Id of the provider in the provider data.
    pub provider_id: String,
    /// Where mail is fetched.
    pub imap: Endpoint,
    /// Where mail is sent.
    pub smtp: Endpoint,
    /// The name to sign in with.
    pub login: String,
    /// How to sign in.
    pub method: AuthenticationMethod,
    /// The OAuth registration to sign in by, if it was named.
    pub registration: Option<String>,
    /// The address of the person who signs in at the provider, where the mailbox is shared and not their own.
    #[serde(default)]
    pub signs_in_as: Option<String>,
}

impl DraftInput {
    /// Checks every field; gives the draft, or all that is wrong.
    pub(crate) fn check(self, catalogue: &ProviderCatalogue) -> Result<ConnectDraft, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let address = keep(&mut problems, check_mailbox(&self.address));
        let user_ref = keep(&mut problems, check_user_ref(&self.user_ref));
        let sender_name = keep(&mut problems, check_sender_name(&self.sender_name));
        let provider = keep(
            &mut problems,
            find_provider(catalogue, &self.provider, address.as_deref(), &self.imap.host),
        );
        let preset = provider.flatten();
        let imap = keep(
            &mut problems,
            IMAP.check(&self.imap, preset.and_then(|p| p.imap.first())),
        );
        let smtp = keep(
            &mut problems,
            SMTP.check(&self.smtp, preset.and_then(|p| p.smtp.first())),
        );
        let login = keep(
            &mut problems,
            check_login(&self.login, preset, address.as_deref()),
        );
        if let Some(problem) = preset.and_then(|provider| not_offered(provider, self.method)) {
            problems.push(problem);
        }
        let signs_in_as = keep(&mut problems, check_signs_in_as(&self.signs_in_as, self.method));
        match (address, user_ref, sender_name, imap, smtp, login, signs_in_as) {
            (
                Some(address),
                Some(user_ref),
                Some(sender_name),
                Some(imap),
                Some(smtp),
                Some(login),
                Some(signs_in_as),
            ) if problems.is_empty() => Ok(ConnectDraft {
                account_id: None,
                user_ref,
                address,
                sender_name,
                provider_id: preset.map_or(CUSTOM, |provider| provider.id.as_str()).to_owned(),
                imap,
                smtp,
                login,
                method: self.method,
                registration: some_text(self.registration),
                signs_in_as,
            }),
            _ => Err(problems),
        }
    }
}

impl ConnectDraft {
    /// The address that the provider is to name as that of the person who signs in.
    pub fn person(&self) -> &str {
        self.signs_in_as.as_deref().unwrap_or(&self.address)
    }

    /// The mailbox to open, where it is not the person's own: it is named in their place when signing in to IMAP.
    pub fn shared_mailbox(&self) -> Option<String> {
        self.signs_in_as.as_ref().map(|_| self.address.clone())
    }

    /// The name to sign in to IMAP with.
    pub fn imap_login(&self) -> String {
        self.shared_mailbox().unwrap_or_else(|| self.login.clone())
    }

    /// The name to sign in to SMTP with, where the provider wants another one there.
    pub fn smtp_login(&self, catalogue: &ProviderCatalogue) -> String {
        catalogue
            .smtp_login(&self.provider_id, &self.login, &self.address)
            .to_owned()
    }
}

/// An account's servers as they were entered, to be shown again or proved again.
pub(crate) fn input_of(account: &Account, method: AuthenticationMethod) -> DraftInput {
    let server = |host: &str, port: i32, tls: &str| ServerInput {
        host: host.to_owned(),
        port: port.to_string(),
        tls: tls.to_owned(),
    };
    DraftInput {
        user_ref: account.user_ref.clone(),
        address: account.address.clone(),
        sender_name: account.sender_name.clone(),
        provider: account.provider_id.clone(),
        imap: server(&account.imap_host, account.imap_port, &account.imap_tls),
        smtp: server(&account.smtp_host, account.smtp_port, &account.smtp_tls),
        login: account.login.clone(),
        method,
        registration: String::new(),
        signs_in_as: String::new(),
    }
}

/// An endpoint as the store keeps it.
pub(crate) fn stored(endpoint: &Endpoint) -> ServerAddress {
    ServerAddress {
        host: endpoint.host.to_string(),
        port: endpoint.port,
        tls: tls_name(endpoint.tls).to_owned(),
    }
}

pub(crate) const fn tls_name(mode: TlsMode) -> &'static str {
    match mode {
        TlsMode::Implicit => "implicit",
        TlsMode::StartTls => "starttls",
    }
}

fn keep<T>(problems: &mut Vec<FieldProblem>, checked: Result<T, FieldProblem>) -> Option<T> {
    checked.map_err(|problem| problems.push(problem)).ok()
}

pub(super) fn some_text(text: String) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> ProviderCatalogue {
        ProviderCatalogue::load(None).unwrap()
    }

    fn input(address: &str) -> DraftInput {
        DraftInput {
            user_ref: "u1".into(),
            address: address.into(),
            sender_name: String::new(),
            provider: String::new(),
            imap: ServerInput::default(),
            smtp: ServerInput::default(),
            login: String::new(),
            method: AuthenticationMethod::Password,
            registration: String::new(),
            signs_in_as: String::new(),
        }
    }

    fn with_servers(address: &str) -> DraftInput {
        let server = |host: &str| ServerInput {
            host: host.into(),
            ..ServerInput::default()
        };
        DraftInput {
            imap: server("imap.house.example"),
            smtp: server("smtp.house.example"),
            ..input(address)
        }
    }

    #[test]
    fn a_domain_of_ones_own_is_its_hosters_by_the_server() {
        let mut entered = with_servers("ada@house.example");
        entered.imap.host = "outlook.office365.com".to_owned();
        entered.method = AuthenticationMethod::OAuth2;
        let draft = entered.check(&catalogue()).unwrap();
        assert_eq!(draft.provider_id, "microsoft");
        assert_eq!(
            with_servers("ada@house.example")
                .check(&catalogue())
                .unwrap()
                .provider_id,
            CUSTOM
        );
    }

    #[test]
    fn a_known_domain_fills_the_servers_in() {
        let draft = input("ada@icloud.com").check(&catalogue()).unwrap();
        assert_eq!(draft.imap.to_string(), "imap.mail.me.com:993");
        assert_eq!((draft.smtp.port, draft.smtp.tls), (587, TlsMode::StartTls));
        assert_eq!(
            (draft.provider_id.as_str(), draft.login.as_str()),
            ("icloud", "ada")
        );
        assert_eq!(draft.smtp_login(&catalogue()), "ada@icloud.com");
    }

    #[test]
    fn the_port_decides_the_encryption_and_the_other_way_round() {
        let mut entered = with_servers("ada@House.Example");
        entered.imap.port = "143".into();
        entered.smtp.tls = "starttls".into();
        let draft = entered.check(&catalogue()).unwrap();
        assert_eq!(draft.imap.tls, TlsMode::StartTls);
        assert_eq!(draft.smtp.port, 587);
        assert_eq!(draft.address, "ada@house.example");
        assert_eq!(draft.provider_id, "custom");
    }

    #[test]
    fn every_fault_is_told_beside_its_field() {
        let mut entered = with_servers("no at sign");
        entered.imap.host = "imap.example.org\r\nA1 LOGOUT".into();
        entered.smtp.port = "99999".into();
        entered.smtp.tls = "plain".into();
        entered.sender_name = "x".repeat(300);
        entered.login = "a\nb".into();
        entered.user_ref = String::new();
        entered.provider = "nowhere".into();
        let problems = entered.check(&catalogue()).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "address",
                "user_ref",
                "sender_name",
                "provider",
                "imap.host",
                "smtp.tls",
                "login"
            ]
        );
        for problem in &problems {
            assert!(!problem.detail.contains(['\r', '\n']), "{problem:?}");
        }
    }

    #[test]
    fn a_line_break_at_the_end_is_no_slip() {
        for field in [0, 1, 2, 3, 4] {
            let mut entered = with_servers("ada@house.example");
            let text = match field {
                0 => &mut entered.address,
                1 => &mut entered.sender_name,
                2 => &mut entered.login,
                3 => &mut entered.imap.host,
                _ => &mut entered.user_ref,
            };
            text.push_str("x\r\n");
            assert!(entered.check(&catalogue()).is_err(), "field {field}");
        }
        assert!(crate::connect::fields::check_password("secret\n").is_err());
    }

    #[test]
    fn who_takes_no_passwords_says_so_at_once() {
        let problems = input("ada@outlook.com").check(&catalogue()).unwrap_err();
        assert_eq!(problems[0].code, "method_not_offered");
        let mut entered = input("ada@outlook.com");
        entered.method = AuthenticationMethod::OAuth2;
        assert!(entered.check(&catalogue()).is_ok());
    }

    #[test]
    fn an_unknown_domain_asks_for_its_servers() {
        let problems = input("ada@house.example").check(&catalogue()).unwrap_err();
        let codes: Vec<_> = problems.iter().map(|problem| problem.code.as_ref()).collect();
        assert_eq!(codes, ["imap_host_missing", "smtp_host_missing"]);
    }
}
