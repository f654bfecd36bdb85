//! Names that mail servers often have. Whether one is there and is a mail server, a probe shows.

use postroom_mail::net::{Endpoint, HostName, TlsMode};

use crate::address::MailAddress;
use crate::candidate::{Candidate, Candidates};
use crate::username::Username;

const IMAP_HOSTS: [&str; 3] = ["imap.", "mail.", ""];
const IMAP_PORTS: [(u16, TlsMode); 2] = [(993, TlsMode::Implicit), (143, TlsMode::StartTls)];
const SMTP_HOSTS: [&str; 3] = ["smtp.", "mail.", ""];
const SMTP_PORTS: [(u16, TlsMode); 2] = [(465, TlsMode::Implicit), (587, TlsMode::StartTls)];

/// Every name with every port, TLS from the start first.
pub(super) fn candidates(address: &MailAddress) -> Candidates {
    let domain = address.domain().as_str();
    let all = |hosts: [&str; 3], ports: [(u16, TlsMode); 2]| -> Vec<Candidate> {
        ports
            .into_iter()
            .flat_map(|port| hosts.into_iter().map(move |host| (host, port)))
            .filter_map(|(host, (port, tls))| {
                let host = HostName::parse(&format!("{host}{domain}")).ok()?;
                Some(Candidate {
                    endpoint: Endpoint { host, port, tls },
                    username: Username::Address,
                    methods: Vec::new(),
                })
            })
            .collect()
    };
    Candidates {
        imap: all(IMAP_HOSTS, IMAP_PORTS),
        smtp: all(SMTP_HOSTS, SMTP_PORTS),
        ..Candidates::default()
    }
}
