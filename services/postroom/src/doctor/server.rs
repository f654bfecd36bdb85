//! A server as a person writes it: `HOST`, `HOST:PORT`, `tls://HOST:PORT` or `starttls://HOST:PORT`.

use postroom_mail::net::{Endpoint, HostName, TlsMode};

pub(super) fn imap(text: &str) -> Result<Endpoint, String> {
    read(text, 993)
}

pub(super) fn smtp(text: &str) -> Result<Endpoint, String> {
    read(text, 465)
}

fn read(text: &str, usual: u16) -> Result<Endpoint, String> {
    let (tls, rest) = if let Some(rest) = text.strip_prefix("starttls://") {
        (Some(TlsMode::StartTls), rest)
    } else if let Some(rest) = text.strip_prefix("tls://") {
        (Some(TlsMode::Implicit), rest)
    } else {
        (None, text)
    };
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            let port = port
                .parse()
                .map_err(|_| format!("{port:?} is no port; write HOST:PORT, such as imap.example.org:993"))?;
            (name, port)
        }
        _ => (rest, usual),
    };
    // These ports begin in plain text everywhere.
    let usual_tls = match port {
        143 | 587 => TlsMode::StartTls,
        _ => TlsMode::Implicit,
    };
    Ok(Endpoint {
        host: HostName::parse(name).map_err(|error| error.to_string())?,
        port,
        tls: tls.unwrap_or(usual_tls),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_people_write_them() {
        for (text, shown, tls) in [
            ("imap.example.org", "imap.example.org:993", TlsMode::Implicit),
            ("imap.example.org:143", "imap.example.org:143", TlsMode::StartTls),
            (
                "starttls://imap.example.org:1143",
                "imap.example.org:1143",
                TlsMode::StartTls,
            ),
            (
                "tls://imap.example.org:143",
                "imap.example.org:143",
                TlsMode::Implicit,
            ),
            ("[::1]:993", "[::1]:993", TlsMode::Implicit),
            ("[::1]", "[::1]:993", TlsMode::Implicit),
        ] {
            let endpoint = imap(text).unwrap();
            assert_eq!(
                (endpoint.to_string().as_str(), endpoint.tls),
                (shown, tls),
                "{text}"
            );
        }
        assert_eq!(smtp("smtp.example.org").unwrap().port, 465);
        for wrong in ["", "imap.example.org:imap", "https://imap.example.org", "a b"] {
            assert!(imap(wrong).is_err(), "{wrong}");
        }
    }
}
