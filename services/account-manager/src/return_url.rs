//! Where a person goes back to: a URL of the CRM's, at an origin that the operator has named. Anything else would make of a
//! link of ours a way to send people anywhere (open redirect; RFC 9700, section 4.11).

use std::net::IpAddr;

use url::{Host, Url};

use crate::http::problem::FieldProblem;

/// Longer than any that is meant.
const MAX: usize = 2000;

/// What is added to it when the person goes back.
const OURS: [&str; 2] = ["status", "account_id"];

/// The URL as browsers will read it, if people may be sent there.
pub(crate) fn check(origins: &[Url], entered: &str) -> Result<String, FieldProblem> {
    let refused = |code: &'static str, why: &str| {
        let detail = format!(
            "The return URL {why}. Send an https URL at an origin that the operator has named with POSTROOM_RETURN_URLS."
        );
        FieldProblem::new("return_url", code, detail)
    };
    let invalid = |why: &str| refused("invalid_return_url", why);
    // Browsers drop or bend these; what they make of them is not to be guessed.
    if entered.len() > MAX || entered.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(invalid(
            "is too long, or holds a blank, a backslash or a control character",
        ));
    }
    let url = Url::parse(entered).map_err(|_| invalid("is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(invalid("holds a user name, a password or a fragment"));
    }
    if url.query_pairs().any(|(name, _)| OURS.contains(&name.as_ref())) {
        return Err(invalid(
            "holds status or account_id, which are added when the person goes back",
        ));
    }
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !safe || !origins.iter().any(|origin| origin.origin() == url.origin()) {
        return Err(refused(
            "return_url_not_allowed",
            "leads to an origin that is not allowed",
        ));
    }
    Ok(url.into())
}

/// Plain http is for a CRM on the developer's own machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// With what came of it.
pub(crate) fn with_result(url: &str, status: &str, account_id: Option<&str>) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    url.query_pairs_mut().append_pair(OURS[0], status);
    if let Some(id) = account_id {
        url.query_pairs_mut().append_pair(OURS[1], id);
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Vec<Url> {
        [
            "https://crm.example",
            "https://crm.example:8443",
            "http://127.0.0.1:3000",
            "http://other.example",
        ]
        .map(|url| url.parse().unwrap())
        .to_vec()
    }

    #[test]
    fn an_allowed_origin_is_taken_with_any_path() {
        for url in [
            "https://crm.example/",
            "https://crm.example/a/b?c=d",
            "https://CRM.example:443/back",
            "https://crm.example:8443/x",
            "http://127.0.0.1:3000/dev",
        ] {
            assert!(check(&origins(), url).is_ok(), "{url}");
        }
    }

    #[test]
    fn hostile_urls_are_refused() {
        for url in [
            "",
            "crm.example",
            "//crm.example/",
            "/accounts",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://crm.example/",
            "http://other.example/",
            "https://crm.example.evil.example/",
            "https://evil.example/https://crm.example/",
            "https://evilcrm.example/",
            "https://sub.crm.example/",
            "https://crm.example@evil.example/",
            "https://user@crm.example/",
            "https://user:pass@crm.example/",
            "https://evil.example\\@crm.example/",
            "https:\\\\crm.example\\",
            "https://crm.example\n.evil.example/",
            "https://crm.example\t/",
            " https://crm.example/",
            "https://crm.example:444/",
            "https://crm.example/#status=connected",
            "https://crm.example/?status=connected",
            "https://crm.example/?x=1&account%5Fid=2",
            "http://127.0.0.1:3001/",
            "https://127.0.0.1:3000/",
            "https://xn--crm-example/",
            "https://crm.example\u{3002}evil.example/",
            "https://[::1]/",
            "ftp://crm.example/",
        ] {
            assert!(check(&origins(), url).is_err(), "{url:?}");
        }
        let long = format!("https://crm.example/{}", "a".repeat(MAX));
        assert!(check(&origins(), &long).is_err());
        assert!(check(&[], "https://crm.example/").is_err());
    }

    #[test]
    fn the_result_is_added_to_what_is_there() {
        let url = with_result("https://crm.example/b?x=1", "connected", Some("a b")).unwrap();
        assert_eq!(
            url.as_str(),
            "https://crm.example/b?x=1&status=connected&account_id=a+b"
        );
    }
}
