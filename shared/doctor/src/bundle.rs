//! A support file: a report that can be given to strangers.

use base64::{Engine, engine::general_purpose::STANDARD};
use postroom_mail::net::HostName;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    report::Report,
    subject::{Secret, Subject},
};

const MASKED: &str = "***";
/// Members whose values are words of ours, or a server's name and port.
const OURS: [&str; 5] = ["part", "step", "result", "code", "server"];

/// The report as JSON without secrets, and with the part before the `@` of every address masked; so is a user name,
/// wherever a server repeats it. `version` is the program's. Names of servers stay: they are what support must know.
#[must_use]
pub fn bundle(report: &Report, subject: Option<&Subject>, version: &str, made_at: &str) -> Value {
    let mut bundle = json!({
        "postroom": version,
        "made_at": made_at,
        "system": { "os": std::env::consts::OS, "architecture": std::env::consts::ARCH },
        "report": report,
    });
    let words = words_to_mask(report, subject);
    mask(&mut bundle, &words);
    bundle
}

/// What must not stand in the file.
struct Words {
    /// Masked where they stand by themselves.
    names: Vec<String>,
    /// Masked wherever they stand.
    secrets: Vec<String>,
}

fn words_to_mask(report: &Report, subject: Option<&Subject>) -> Words {
    let servers = subject
        .into_iter()
        .flat_map(|subject| [Some(&subject.imap), subject.smtp.as_ref()])
        .flatten();
    let logins: Vec<&str> = servers.map(|server| server.login.as_str()).collect();
    let mut names: Vec<String> = logins.iter().map(|login| local_part(login)).collect();
    names.push(local_part(&report.address));
    let secret = subject.and_then(|subject| subject.secret.as_ref());
    let mut secrets = secret.map_or_else(Vec::new, |secret| forms(secret, &logins));
    for words in [&mut names, &mut secrets] {
        words.retain(|word| !word.is_empty());
        // The longest first, so that a part does not spoil the whole.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    }
    Words { names, secrets }
}

/// A secret as it is and as it was said to servers, which may repeat what they heard.
fn forms(secret: &Secret, logins: &[&str]) -> Vec<String> {
    let (plain, said): (&str, fn(&str, &str) -> String) = match secret {
        Secret::Password(password) => (password.expose_secret(), |login, password| {
            format!("\0{login}\0{password}")
        }),
        Secret::AccessToken(token) => (token.expose_secret(), |login, token| {
            format!("user={login}\x01auth=Bearer {token}\x01\x01")
        }),
    };
    let in_base64 = logins.iter().map(|login| STANDARD.encode(said(login, plain)));
    in_base64
        .chain([STANDARD.encode(plain), plain.to_owned()])
        .collect()
}

fn local_part(address: &str) -> String {
    address
        .rsplit_once('@')
        .map_or(address, |(local, _)| local)
        .to_owned()
}

fn mask(value: &mut Value, words: &Words) {
    match value {
        Value::String(text) => *text = masked(text, words),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, words)),
        Value::Object(members) => members
            .iter_mut()
            .filter(|(name, _)| !OURS.contains(&name.as_str()))
            .for_each(|(_, member)| mask(member, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn masked(text: &str, words: &Words) -> String {
    let text = words
        .secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret, MASKED));
    let text = words.names.iter().fold(text, |text, name| without(&text, name));
    // Whatever else looks like an address, such as another person's that a server names.
    text.split_inclusive(|c: char| c.is_whitespace() || "<>\"'(),;:".contains(c))
        .map(mask_address)
        .collect()
}

/// Masks a word where it stands by itself, in any case: "ann" in "ann@" and "<ANN>", not in "annual".
fn without(text: &str, word: &str) -> String {
    let (low_text, low_word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = low_text[from..].find(&low_word) {
        let (at, end) = (from + found, from + found + low_word.len());
        let before = text[..at].chars().next_back();
        let after = text[end..].chars().next();
        let stands_alone = ![before, after].iter().flatten().any(|c| c.is_alphanumeric());
        result.push_str(&text[from..at]);
        result.push_str(if stands_alone { MASKED } else { &text[at..end] });
        from = end;
    }
    result.push_str(&text[from..]);
    result
}

fn mask_address(word: &str) -> String {
    match word.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && is_domain(domain) => format!("{MASKED}@{domain}"),
        _ => word.to_owned(),
    }
}

fn is_domain(text: &str) -> bool {
    let end = |c: char| !c.is_alphanumeric();
    HostName::parse(text.trim_end_matches(end)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_user_names_and_secrets_are_masked_wherever_they_stand() {
        let words = Words {
            names: vec!["ann.doe".to_owned(), "ann".to_owned()],
            secrets: forms(&Secret::Password("hunter2-canary".into()), &["ann.doe"]),
        };
        for (text, shown) in [
            ("ann.doe@house.example", "***@house.example"),
            (
                "LOGIN failed for <Ann.Doe@House.Example>.",
                "LOGIN failed for <***@House.Example>.",
            ),
            ("user=ann.doe refused", "user=*** refused"),
            ("with xhunter2-canaryx.", "with x***x."),
            ("an annual thing", "an annual thing"),
            (
                "ask postmaster@house.example, please",
                "ask ***@house.example, please",
            ),
            (
                "imap.house.example:993 is an IMAP server.",
                "imap.house.example:993 is an IMAP server.",
            ),
        ] {
            assert_eq!(masked(text, &words), shown);
        }
        let heard = STANDARD.encode("\0ann.doe\0hunter2-canary");
        assert_eq!(
            masked(&format!("bad AUTH PLAIN {heard}"), &words),
            "bad AUTH PLAIN ***"
        );
    }
}
