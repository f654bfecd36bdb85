//! From what a person or program entered to an account that can be proved: every field checked, all faults told at once.

use postroom_events::{AccountId, AuthenticationMethod};
use postroom_mail::{
    net::{Endpoint, HostName, TlsMode},
    smtp::check_address,
};
use postroom_providers::{MailServer, Provider, ProviderCatalogue};
use postroom_store::{Account, accounts::ServerAddress};
use serde::{Deserialize, Serialize};

use crate::http::problem::FieldProblem;

/// RFC 5321, section 4.5.3.1.3: a path has at most 256 bytes, brackets included.
const MAX_ADDRESS: usize = 254;
const MAX_NAME: usize = 200;
const MAX_LOGIN: usize = 254;
const MAX_PASSWORD: usize = 1000;
/// Id of the provider that stands for none of those known.
const CUSTOM: &str = "custom";

/// A server as entered; empty means not given.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerInput {
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) tls: String,
}

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
            find_provider(catalogue, &self.provider, address.as_deref()),
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
        match (address, user_ref, sender_name, imap, smtp, login) {
            (Some(address), Some(user_ref), Some(sender_name), Some(imap), Some(smtp), Some(login))
                if problems.is_empty() =>
            {
                Ok(ConnectDraft {
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
                })
            }
            _ => Err(problems),
        }
    }
}

impl ConnectDraft {
    /// The name to sign in to SMTP with, where the provider wants another one there.
    pub fn smtp_login(&self, catalogue: &ProviderCatalogue) -> String {
        smtp_login(catalogue, &self.provider_id, &self.login, &self.address)
    }
}

/// The name to sign in to SMTP with: the login, unless it is the one that the provider's data propose for IMAP and they
/// propose another one for SMTP.
pub fn smtp_login(catalogue: &ProviderCatalogue, provider_id: &str, login: &str, address: &str) -> String {
    catalogue
        .by_id(provider_id)
        .filter(|provider| provider.username.of(address) == login)
        .map_or(login, |provider| provider.smtp_username().of(address))
        .to_owned()
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

fn some_text(text: String) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What no line of a protocol or a header may hold.
fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn check_mailbox(entered: &str) -> Result<String, FieldProblem> {
    // Only blanks at the ends are forgiven: a line break is never a slip of the pen.
    let address = entered.trim_matches(' ');
    let refused = |why: String| {
        let detail = format!("The email address cannot be used: {why}. Correct it and try again.");
        FieldProblem::new("address", "invalid_address", detail)
    };
    if address.len() > MAX_ADDRESS {
        return Err(refused(format!("it is longer than {MAX_ADDRESS} characters")));
    }
    check_address(address).map_err(|error| refused(error.to_string()))?;
    Ok(match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => address.to_owned(),
    })
}

/// The CRM's id of a person: printable and short.
pub(crate) fn check_user_ref(user_ref: &str) -> Result<String, FieldProblem> {
    let refused = |why: &str| {
        let detail = format!(
            "The user_ref {why}. Send the CRM's own id of the person, at most {MAX_NAME} characters."
        );
        FieldProblem::new("user_ref", "invalid_user_ref", detail)
    };
    if user_ref.trim().is_empty() {
        return Err(refused("is missing"));
    }
    if user_ref.chars().count() > MAX_NAME {
        return Err(refused("is too long"));
    }
    if has_control(user_ref) {
        return Err(refused("holds a line break or another control character"));
    }
    Ok(user_ref.to_owned())
}

/// The name shown beside the address in outgoing mail; may be empty.
pub(crate) fn check_sender_name(name: &str) -> Result<String, FieldProblem> {
    let refused = |why: String| {
        let detail = format!("The sender name {why}. Enter the name that recipients are to see.");
        FieldProblem::new("sender_name", "invalid_sender_name", detail)
    };
    let length = name.chars().count();
    if length > MAX_NAME {
        return Err(refused(format!(
            "has {length} characters; at most {MAX_NAME} are allowed"
        )));
    }
    if has_control(name) {
        return Err(refused(
            "holds a line break or another control character".to_owned(),
        ));
    }
    Ok(name.trim().to_owned())
}

/// A password is sent as it is; what cannot be sent is refused here.
pub(crate) fn check_password(password: &str) -> Result<(), FieldProblem> {
    let refused =
        |code: &'static str, why: &str| FieldProblem::new("password", code, format!("{why} Enter it again."));
    if password.is_empty() {
        return Err(refused("password_missing", "The password is missing."));
    }
    if password.len() > MAX_PASSWORD {
        return Err(refused(
            "invalid_password",
            "The password is longer than any mail server takes.",
        ));
    }
    if has_control(password) {
        return Err(refused(
            "invalid_password",
            "The password holds a line break or another control character.",
        ));
    }
    Ok(())
}

fn check_login(
    login: &str,
    preset: Option<&Provider>,
    address: Option<&str>,
) -> Result<String, FieldProblem> {
    let refused = |why: &str| {
        let detail = format!("The user name {why}. Enter the name that you sign in to the mailbox with.");
        FieldProblem::new("login", "invalid_login", detail)
    };
    if has_control(login) {
        return Err(refused("holds a line break or another control character"));
    }
    if login.chars().count() > MAX_LOGIN {
        return Err(refused("is too long"));
    }
    let proposed = || {
        let address = address.unwrap_or_default();
        preset
            .map_or(address, |provider| provider.username.of(address))
            .to_owned()
    };
    Ok(some_text(login.to_owned()).unwrap_or_else(proposed))
}

fn find_provider<'c>(
    catalogue: &'c ProviderCatalogue,
    named: &str,
    address: Option<&str>,
) -> Result<Option<&'c Provider>, FieldProblem> {
    match named.trim() {
        "" => Ok(address.and_then(|address| catalogue.by_address(address))),
        named => catalogue.by_id(named).map(Some).ok_or_else(|| {
            let shown: String = named.chars().filter(|c| !c.is_control()).take(40).collect();
            let detail =
                format!("No provider is known as '{shown}'. Leave it out, or name one of GET /v1/providers.");
            FieldProblem::new("provider", "unknown_provider", detail)
        }),
    }
}

/// A provider that takes no password at all says so before anybody types one.
fn not_offered(provider: &Provider, method: AuthenticationMethod) -> Option<FieldProblem> {
    use AuthenticationMethod::{AppPassword, OAuth2, Password};
    let takes_passwords = provider
        .sign_in
        .iter()
        .any(|offered| matches!(offered, Password | AppPassword));
    let fits = method == OAuth2 || takes_passwords;
    (!fits).then(|| {
        let hint = provider.sign_in_hint.clone().unwrap_or_else(|| {
            format!(
                "{} accepts no passwords from mail programs. Connect with OAuth 2.0.",
                provider.name
            )
        });
        FieldProblem::new("method", "method_not_offered", hint)
    })
}

/// One of the two servers of an account.
struct Half {
    /// `imap` or `smtp`.
    name: &'static str,
    label: &'static str,
    example: &'static str,
    default_port: u16,
    /// Ports where TLS begins after STARTTLS.
    starttls_ports: &'static [u16],
}

const IMAP: Half = Half {
    name: "imap",
    label: "IMAP server",
    example: "imap.example.org",
    default_port: 993,
    starttls_ports: &[143],
};

const SMTP: Half = Half {
    name: "smtp",
    label: "SMTP server",
    example: "smtp.example.org",
    default_port: 465,
    starttls_ports: &[25, 587, 2525],
};

impl Half {
    fn check(&self, entered: &ServerInput, preset: Option<&MailServer>) -> Result<Endpoint, FieldProblem> {
        let host = entered.host.trim_matches(' ');
        if host.is_empty() {
            return match preset {
                Some(server) => self.check(&of_preset(server), None),
                None => Err(self.missing()),
            };
        }
        let host = HostName::parse(host)
            .map_err(|error| self.problem("host", "invalid_host", format!("{}: {error}", self.label)))?;
        let tls = match entered.tls.trim() {
            "" => None,
            "implicit" | "tls" => Some(TlsMode::Implicit),
            "starttls" => Some(TlsMode::StartTls),
            _ => {
                let detail = format!(
                    "{}: the kind of encryption is not known. Choose implicit (TLS from the start) or starttls.",
                    self.label
                );
                return Err(self.problem("tls", "invalid_tls", detail));
            }
        };
        let port = self.port(entered.port.trim(), tls)?;
        let by_port = if self.starttls_ports.contains(&port) {
            TlsMode::StartTls
        } else {
            TlsMode::Implicit
        };
        Ok(Endpoint {
            host,
            port,
            tls: tls.unwrap_or(by_port),
        })
    }

    fn port(&self, entered: &str, tls: Option<TlsMode>) -> Result<u16, FieldProblem> {
        if entered.is_empty() {
            let starttls = self.starttls_ports.iter().copied().find(|port| *port != 25);
            return Ok(match tls {
                Some(TlsMode::StartTls) => starttls.unwrap_or(self.default_port),
                _ => self.default_port,
            });
        }
        entered
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| {
                let detail = format!(
                    "{}: the port must be a number from 1 to 65535; the usual one is {}.",
                    self.label, self.default_port
                );
                self.problem("port", "invalid_port", detail)
            })
    }

    fn missing(&self) -> FieldProblem {
        let detail = format!(
            "The {} of this address is not known here. Enter its name, such as {}; your mail provider's help pages say \
             which it is.",
            self.label, self.example
        );
        self.problem("host", "host_missing", detail)
    }

    fn problem(&self, field: &str, code: &str, detail: String) -> FieldProblem {
        FieldProblem::new(
            format!("{}.{field}", self.name),
            format!("{}_{code}", self.name),
            detail,
        )
    }
}

fn of_preset(server: &MailServer) -> ServerInput {
    ServerInput {
        host: server.host.clone(),
        port: server.port.to_string(),
        tls: match server.tls {
            postroom_providers::TlsMode::Implicit => "implicit",
            postroom_providers::TlsMode::StartTls => "starttls",
        }
        .to_owned(),
    }
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
        assert!(check_password("secret\n").is_err());
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
