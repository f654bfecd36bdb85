//! MX records: who takes a domain's mail is often who keeps it.
//!
//! Not always. A domain of a provider that is known by its domain list never comes here (mail.com's MX hosts are
//! GMX's), and hosts that several providers share prove nothing (`mx_shared` in provider data).

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use postroom_mail::net::HostName;

use super::Sources;
use crate::address::MailAddress;
use crate::candidate::{Candidates, Lookup, Miss};
use crate::dns::NoAnswer;

/// How many hosts are looked at.
const MAX_HOSTS: usize = 5;
/// How many ends of the best host's name are looked for in the ISPDB.
const MAX_ENDS: usize = 5;

pub(super) async fn look_up(sources: &Sources, address: &MailAddress) -> Lookup {
    let mut hosts = sources
        .dns
        .mx(address.domain())
        .await
        .map_err(|no_answer| match no_answer {
            NoAnswer::NoSuchName => Miss {
                no_such_domain: true,
                ..Miss::new("the domain does not exist")
            },
            NoAnswer::Silence => Miss::temporary("the name servers of the domain did not answer"),
        })?;
    hosts.truncate(MAX_HOSTS);
    let Some(best) = hosts.first() else {
        return Err(Miss::new("the domain has none, so it takes no mail"));
    };
    let catalogue = &sources.catalogue;
    if let Some(shared) = hosts.iter().find(|host| catalogue.is_shared_mx(host.as_str())) {
        return Err(Miss::new(format!(
            "they lead to {shared}, which several providers share, so they do not tell whose mailbox it is"
        )));
    }
    if let Some(provider) = hosts.iter().find_map(|host| catalogue.by_mx(host.as_str())) {
        return Ok(Candidates::of_provider(provider));
    }
    if let Some(unsupported) = hosts
        .iter()
        .find_map(|host| catalogue.unsupported_by_mx(host.as_str()))
    {
        return Err(Miss {
            unsupported: Some((unsupported.name.clone(), unsupported.reason.clone())),
            ..Miss::new(format!("they lead to {}", unsupported.name))
        });
    }
    of_database(sources, best, address).await
}

/// The ISPDB has entries for MX hosts too, by the end of their name; as Thunderbird does, the longest one counts.
async fn of_database(sources: &Sources, best: &HostName, address: &MailAddress) -> Lookup {
    let nothing = || Miss::new(format!("they lead to {best}, which is no hoster known here"));
    let Some(ispdb) = &sources.ispdb else {
        return Err(nothing());
    };
    let mut entries: FuturesOrdered<_> = ends(best.as_str())
        .into_iter()
        .map(|end| ispdb.entry(end, address))
        .collect();
    let mut temporary = false;
    while let Some(entry) = entries.next().await {
        match entry {
            Ok(found) => return Ok(found),
            Err(miss) => temporary |= miss.temporary,
        }
    }
    Err(Miss {
        temporary,
        ..nothing()
    })
}

/// `a.mx.house.example` -> itself, `mx.house.example`, `house.example`.
fn ends(host: &str) -> Vec<&str> {
    let mut ends = vec![host];
    let mut rest = host;
    while let Some((_, end)) = rest.split_once('.') {
        if !end.contains('.') {
            break;
        }
        ends.push(end);
        rest = end;
    }
    let from = ends.len().saturating_sub(MAX_ENDS);
    ends.split_off(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_names_are_whole_parts_and_never_a_top_level_domain() {
        assert_eq!(
            ends("a.mx.house.example"),
            ["a.mx.house.example", "mx.house.example", "house.example"]
        );
        assert_eq!(ends("house.example"), ["house.example"]);
        assert_eq!(ends("example"), ["example"]);
        assert_eq!(ends("a.b.c.d.e.f.g.example").len(), MAX_ENDS);
    }
}
