//! SRV records: RFC 6186 for STARTTLS, RFC 8314 section 5.1 for TLS from the start, which is preferred.

use postroom_mail::net::{Endpoint, TlsMode};

use crate::address::MailAddress;
use crate::autoconfig_servers::is_mail_port;
use crate::candidate::{Candidate, Candidates, Lookup, MAX_CANDIDATES, Miss};
use crate::dns::{Dns, NoAnswer, Srv};
use crate::username::Username;

type Answer = Result<Vec<Srv>, NoAnswer>;

pub(super) async fn look_up(dns: &Dns, address: &MailAddress) -> Lookup {
    let domain = address.domain();
    let (imaps, imap, submissions, submission) = tokio::join!(
        dns.srv("_imaps._tcp", domain),
        dns.srv("_imap._tcp", domain),
        dns.srv("_submissions._tcp", domain),
        dns.srv("_submission._tcp", domain),
    );
    let silent = [&imaps, &imap, &submissions, &submission].contains(&&Err(NoAnswer::Silence));
    let mut refused = Vec::new();
    let found = Candidates {
        denies_imap: denied(&imaps) && denied(&imap),
        denies_smtp: denied(&submissions) && denied(&submission),
        imap: servers(imaps, imap, &mut refused),
        smtp: servers(submissions, submission, &mut refused),
        refused,
        provider: None,
    };
    if !found.is_empty() || found.denies_imap || found.denies_smtp {
        return Ok(found);
    }
    if silent {
        return Err(Miss::temporary("the name servers of the domain did not answer"));
    }
    Err(Miss::new(if found.refused.is_empty() {
        "the domain has none for mail".to_owned()
    } else {
        found.refused.join("; ")
    }))
}

/// A single record with the target "." says that the service is not offered (RFC 2782).
fn denied(answer: &Answer) -> bool {
    matches!(answer, Ok(records) if !records.is_empty() && records.iter().all(|srv| srv.target.is_none()))
}

fn servers(implicit: Answer, start_tls: Answer, refused: &mut Vec<String>) -> Vec<Candidate> {
    let with = |answer: Answer, tls| answer.unwrap_or_default().into_iter().map(move |srv| (srv, tls));
    let mut usable = Vec::new();
    for (srv, tls) in with(implicit, TlsMode::Implicit).chain(with(start_tls, TlsMode::StartTls)) {
        let Some(host) = srv.target else { continue };
        if !is_mail_port(srv.port) {
            refused.push(format!("they name {host} with a port that no mail server has"));
            continue;
        }
        usable.push(Candidate {
            endpoint: Endpoint {
                host,
                port: srv.port,
                tls,
            },
            // RFC 6186 section 3.1: the whole address is tried first.
            username: Username::Address,
            methods: Vec::new(),
        });
    }
    usable.truncate(MAX_CANDIDATES);
    usable
}
