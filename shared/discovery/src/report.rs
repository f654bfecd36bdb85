//! The answer as JSON, the same from the command line and from HTTP.

use serde_json::{Value, json};

use crate::discovered::Discovered;
use crate::error::DiscoveryError;

/// What was found, or the error as `{"address", "error": {"code", "message", "tried": [{"source", "outcome"}]}}`.
#[must_use]
pub fn to_json(address: &str, answer: &Result<Discovered, DiscoveryError>) -> Value {
    match answer {
        Ok(found) => json!(found),
        Err(error) => json!({
            "address": address,
            "error": {
                "code": error.code(),
                "message": error.to_string(),
                "tried": error.tried(),
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovered::{DiscoveredServer, Source};
    use crate::username::Username;
    use postroom_events::AuthenticationMethod;
    use postroom_mail::net::{HostName, TlsMode};

    #[test]
    fn found_servers_have_exactly_these_keys() {
        let server = |host: &str, port, socket, username| DiscoveredServer {
            host: HostName::parse(host).unwrap(),
            port,
            socket,
            auth: vec![AuthenticationMethod::AppPassword],
            username,
        };
        let found = Discovered {
            address: "ada@icloud.com".to_owned(),
            provider: "icloud".to_owned(),
            imap: server("imap.mail.me.com", 993, TlsMode::Implicit, Username::LocalPart),
            smtp: Some(server(
                "smtp.mail.me.com",
                587,
                TlsMode::StartTls,
                Username::Address,
            )),
            source: Source::ProviderData,
            app_password_help: Some("https://support.apple.com/102654".parse().unwrap()),
            notes: Vec::new(),
        };
        assert_eq!(
            to_json("ada@icloud.com", &Ok(found)),
            json!({
                "address": "ada@icloud.com",
                "provider": "icloud",
                "imap": {"host": "imap.mail.me.com", "port": 993, "socket": "tls", "auth": ["app_password"],
                    "username": "localpart"},
                "smtp": {"host": "smtp.mail.me.com", "port": 587, "socket": "starttls", "auth": ["app_password"],
                    "username": "address"},
                "source": "provider_data",
                "app_password_help": "https://support.apple.com/102654",
            })
        );
    }

    #[test]
    fn an_error_says_its_code_and_sentence() {
        let error = crate::MailAddress::parse("ada").unwrap_err();
        let json = to_json("ada", &Err(error.into()));
        assert_eq!(json["error"]["code"], "address_invalid");
        assert!(json["error"]["message"].as_str().unwrap().contains("no @"));
        assert_eq!(json["error"]["tried"], json!([]));
    }
}
