//! The configuration that a domain publishes itself, over HTTPS only: over HTTP anybody on the way could name the
//! servers that the password is sent to.

use url::Url;

use crate::address::MailAddress;
use crate::autoconfig_servers;
use crate::candidate::{Lookup, Miss};
use crate::https::Https;

/// Asks both places at once; the first that has a usable file counts.
pub(super) async fn look_up(https: &Https, address: &MailAddress) -> Lookup {
    let domain = address.domain();
    let own_host = format!("https://autoconfig.{domain}/mail/config-v1.1.xml");
    let well_known = format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml");
    // The file may depend on the address, and the domain's own server knows its addresses anyway.
    let (first, second) = tokio::join!(
        file(https, &own_host, Some(address.as_str()), address),
        file(https, &well_known, None, address),
    );
    match (first, second) {
        (Ok(found), _) | (Err(_), Ok(found)) => Ok(found),
        (Err(first), Err(second)) => Err(Miss {
            outcome: format!("{}; {}", first.outcome, second.outcome),
            temporary: first.temporary || second.temporary,
            ..Miss::default()
        }),
    }
}

async fn file(https: &Https, url: &str, asked_for: Option<&str>, address: &MailAddress) -> Lookup {
    let mut url = Url::parse(url).map_err(|_| Miss::new("its name cannot be in a URL"))?;
    if let Some(asked_for) = asked_for {
        url.query_pairs_mut().append_pair("emailaddress", asked_for);
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let nothing = format!("{host} has no such file");
    let document = https.get(url).await.map_err(|error| error.miss(&nothing))?;
    autoconfig_servers::candidates(&document, address)
}
