//! The two servers of an account: what was entered, completed from provider data and from the port.

use postroom_mail::net::{Endpoint, HostName, TlsMode};
use postroom_providers::MailServer;

use crate::http::problem::FieldProblem;

/// A server as entered; empty means not given.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerInput {
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) tls: String,
}

/// One of the two servers of an account.
pub(super) struct Half {
    /// `imap` or `smtp`.
    name: &'static str,
    label: &'static str,
    example: &'static str,
    default_port: u16,
    /// Ports where TLS begins after STARTTLS.
    starttls_ports: &'static [u16],
}

pub(super) const IMAP: Half = Half {
    name: "imap",
    label: "IMAP server",
    example: "imap.example.org",
    default_port: 993,
    starttls_ports: &[143],
};

pub(super) const SMTP: Half = Half {
    name: "smtp",
    label: "SMTP server",
    example: "smtp.example.org",
    default_port: 465,
    starttls_ports: &[25, 587, 2525],
};

impl Half {
    pub(super) fn check(
        &self,
        entered: &ServerInput,
        preset: Option<&MailServer>,
    ) -> Result<Endpoint, FieldProblem> {
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

/// A server of provider data, as somebody would enter it.
pub(crate) fn of_preset(server: &MailServer) -> ServerInput {
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
