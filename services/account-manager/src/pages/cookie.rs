//! The one cookie: it names the web session, and no script can read it.

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use crate::state::ManagerSettings;

/// `__Host-` keeps subdomains from setting it, but browsers take that only over TLS.
const fn name(is_https: bool) -> &'static str {
    if is_https { "__Host-postroom" } else { "postroom" }
}

/// The token in the request's cookie.
pub(super) fn read<'h>(headers: &'h HeaderMap, settings: &ManagerSettings) -> Option<&'h str> {
    let name = name(settings.is_https());
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The header that sets the cookie. Lax, so that the redirect back from an identity provider carries it.
pub(super) fn set(token: &SecretString, settings: &ManagerSettings) -> HeaderValue {
    let age = settings.session_lifetime.as_secs();
    write(token.expose_secret(), age, settings.is_https())
}

/// The header that takes the cookie back.
pub(super) fn clear(settings: &ManagerSettings) -> HeaderValue {
    write("", 0, settings.is_https())
}

fn write(value: &str, age: u64, is_https: bool) -> HeaderValue {
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}",
        name(is_https)
    );
    let mut header = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_of_plain_http() {
        let cookie = write("t", 60, true);
        assert_eq!(
            cookie.to_str().unwrap(),
            "__Host-postroom=t; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert!(!write("t", 60, false).to_str().unwrap().contains("Secure"));
    }
}
