//! Understanding the servers of an autoconfig file.

use postroom_events::AuthenticationMethod;
use postroom_mail::net::{Endpoint, HostName, TlsMode};

use crate::address::MailAddress;
use crate::autoconfig_file::{self, ServerEntry};
use crate::candidate::{Candidate, Candidates, Lookup, MAX_CANDIDATES, Miss};
use crate::username::{Username, fill};

/// The servers that a file names for `address`.
pub(crate) fn candidates(document: &str, address: &MailAddress) -> Lookup {
    let file = autoconfig_file::read(document).map_err(|fault| Miss::new(format!("its file {fault}")))?;
    let mut found = Candidates::default();
    let mut refused = Vec::new();
    let mut understand = |entries: &[ServerEntry]| -> Vec<Candidate> {
        let mut usable = Vec::new();
        for entry in entries {
            match candidate(entry, address) {
                Ok(candidate) => usable.push(candidate),
                Err(why) => refused.push(why),
            }
        }
        usable.truncate(MAX_CANDIDATES);
        usable
    };
    found.imap = understand(&file.imap);
    found.smtp = understand(&file.smtp);
    found.refused = refused;
    if !found.is_empty() {
        return Ok(found);
    }
    Err(Miss::new(if found.refused.is_empty() {
        "its file names no IMAP or SMTP server".to_owned()
    } else {
        found.refused.join("; ")
    }))
}

fn candidate(entry: &ServerEntry, address: &MailAddress) -> Result<Candidate, String> {
    let host = HostName::parse(&fill(&entry.host, address))
        .map_err(|_| "a server name in its file is not well formed".to_owned())?;
    let tls = match entry.socket.to_ascii_lowercase().as_str() {
        "ssl" | "tls" => TlsMode::Implicit,
        "starttls" => TlsMode::StartTls,
        "" | "plain" => {
            return Err(format!(
                "its file names {host} without encryption, which is never used"
            ));
        }
        _ => {
            return Err(format!(
                "its file names {host} with an unknown kind of encryption"
            ));
        }
    };
    let port = entry.port.parse().ok().filter(|port| is_mail_port(*port));
    let port = port.ok_or_else(|| format!("its file names {host} with a port that no mail server has"))?;
    Ok(Candidate {
        endpoint: Endpoint { host, port, tls },
        username: Username::from_template(&entry.username, address),
        methods: methods(&entry.authentication),
    })
}

/// Whether a port named by a stranger is connected to: those of mail, and those that anybody may listen on. The
/// others below 1024 belong to other services, which we are not to be sent to.
pub(crate) fn is_mail_port(port: u16) -> bool {
    matches!(port, 143 | 465 | 587 | 993) || port >= 1024
}

/// Ways to sign in, in the file's order. What we do not know (NTLM, GSSAPI, client-IP-address) is left out: the server
/// itself says what it offers.
fn methods(names: &[String]) -> Vec<AuthenticationMethod> {
    let mut methods = Vec::new();
    for name in names {
        let method = match name.as_str() {
            "OAuth2" => AuthenticationMethod::OAuth2,
            "password-cleartext" | "plain" | "password-encrypted" | "secure" => {
                AuthenticationMethod::Password
            }
            _ => continue,
        };
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understand(fields: &str) -> Lookup {
        let document = format!(
            "<clientConfig><emailProvider><incomingServer type=\"imap\">{fields}</incomingServer></emailProvider>\
             </clientConfig>"
        );
        candidates(&document, &MailAddress::parse("ada@house.example").unwrap())
    }

    #[test]
    fn a_server_is_understood() {
        let found = understand(
            "<hostname>mail.%EMAILDOMAIN%</hostname><port>143</port><socketType>STARTTLS</socketType>\
             <username>%EMAILLOCALPART%</username><authentication>secure</authentication>\
             <authentication>GSSAPI</authentication><authentication>OAuth2</authentication>",
        )
        .unwrap();
        let candidate = &found.imap[0];
        assert_eq!(candidate.endpoint.to_string(), "mail.house.example:143");
        assert_eq!(candidate.endpoint.tls, TlsMode::StartTls);
        assert_eq!(candidate.username, Username::LocalPart);
        assert_eq!(
            candidate.methods,
            [AuthenticationMethod::Password, AuthenticationMethod::OAuth2]
        );
    }

    #[test]
    fn what_is_not_safe_or_not_known_is_refused_with_its_reason() {
        let with = |host: &str, port: &str, socket: &str| {
            understand(&format!(
                "<hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>"
            ))
            .unwrap_err()
            .outcome
        };
        for (host, port, socket, words) in [
            ("imap.x.example", "143", "plain", "without encryption"),
            ("imap.x.example", "143", "", "without encryption"),
            ("imap.x.example", "993", "QUIC", "unknown kind"),
            ("imap.x.example", "22", "SSL", "port"),
            ("imap.x.example", "25", "SSL", "port"),
            ("imap.x.example", "0", "SSL", "port"),
            ("imap.x.example", "65536", "SSL", "port"),
            ("imap.x.example", "-1", "SSL", "port"),
            ("imap.x.example", "", "SSL", "port"),
            ("", "993", "SSL", "not well formed"),
            ("a b", "993", "SSL", "not well formed"),
            ("2130706433", "993", "SSL", "not well formed"),
            ("user@imap.x.example", "993", "SSL", "not well formed"),
        ] {
            let outcome = with(host, port, socket);
            assert!(outcome.contains(words), "{host}:{port} {socket}: {outcome}");
        }
    }

    /// Every entry of the ISPDB among the fixtures, held against what provider data say of the same domain.
    #[test]
    fn the_ispdb_and_provider_data_name_the_same_servers() {
        let catalogue = postroom_providers::ProviderCatalogue::load(None).unwrap();
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ispdb");
        let mut compared = 0;
        for entry in std::fs::read_dir(fixtures).unwrap() {
            let path = entry.unwrap().path();
            let domain = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let address = MailAddress::parse(&format!("ada@{domain}")).unwrap();
            let document = std::fs::read_to_string(&path).unwrap();
            let (Ok(found), Some(provider)) = (candidates(&document, &address), catalogue.by_domain(&domain))
            else {
                continue;
            };
            let ours = Candidates::of_provider(provider);
            let best = |candidates: &[Candidate]| candidates[0].endpoint.clone();
            assert!(
                found.imap.iter().any(|named| named.endpoint == best(&ours.imap)),
                "{domain}"
            );
            for server in &ours.smtp {
                assert!(
                    found.smtp.iter().any(|named| named.endpoint == server.endpoint),
                    "{domain}"
                );
            }
            compared += 1;
        }
        assert!(compared >= 12, "{compared}");
    }
}
