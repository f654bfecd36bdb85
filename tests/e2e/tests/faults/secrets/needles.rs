//! What must not show, in every form that it could show in.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use postroom_e2e::{Mode, Stack};
use postroom_test_support::{TestUser, xoauth2};

use super::scan::{Haystack, Straw, contains};

/// Secrets in all their forms.
#[derive(Default)]
pub(super) struct Needles(Vec<Needle>);

struct Needle {
    what: String,
    forms: Vec<Vec<u8>>,
    /// The files in which an operator or the product keeps it on purpose, by the end of their names.
    at_home: Vec<&'static str>,
}

impl Needles {
    pub(super) fn add(&mut self, what: &str, secret: &[u8]) {
        self.keep(what, secret, &[]);
    }

    pub(super) fn add_password(&mut self, user: &TestUser) {
        self.add("a password", user.password.as_bytes());
        // as SASL PLAIN carries it (RFC 4616)
        let plain = format!("\0{}\0{}", user.address, user.password);
        self.add("a password in a sign-in", plain.as_bytes());
    }

    pub(super) fn add_token(&mut self, address: &str, token: &str) {
        self.add("a token", token.as_bytes());
        self.add("the beginning of a token", &token.as_bytes()[..24]);
        self.add("a token in a sign-in", xoauth2(address, token).as_bytes());
    }

    pub(super) fn add_client_secret(&mut self, oauth_toml: &str) {
        let (_, rest) = oauth_toml.split_once("client_secret = \"").unwrap();
        let secret = rest.split('"').next().unwrap();
        self.keep("the client secret", secret.as_bytes(), &["oauth.toml"]);
    }

    /// The key of the API, and the keys that seal secrets.
    pub(super) fn add_keys(&mut self, stack: &Stack) {
        let api_key = stack.api.key().as_bytes();
        match stack.mode {
            Mode::Embedded => {
                self.keep("the API key", api_key, &["api.key", "postroom.out"]);
                let file = std::fs::read_to_string(stack.data_dir("postroom").join("secret.key")).unwrap();
                self.keep_sealing_keys(&file, &["secret.key"]);
            }
            Mode::Distributed => {
                self.keep("the API key", api_key, &[]);
                let keys = stack.variable("POSTROOM_SECRET_KEYS").unwrap();
                self.keep_sealing_keys(keys, &[]);
            }
        }
    }

    fn keep_sealing_keys(&mut self, text: &str, at_home: &[&'static str]) {
        let entries = text
            .lines()
            .filter(|line| !line.starts_with('#') && line.contains(':'));
        for entry in entries.flat_map(|line| line.split(',')) {
            let (_, key) = entry.split_once(':').unwrap();
            self.keep("a sealing key", key.trim().as_bytes(), at_home);
        }
    }

    fn keep(&mut self, what: &str, secret: &[u8], at_home: &[&'static str]) {
        assert!(secret.len() >= 12, "{what} is too short to be looked for");
        self.0.push(Needle {
            what: what.to_owned(),
            forms: forms(secret),
            at_home: at_home.to_vec(),
        });
    }

    /// Asserts that none of them is anywhere but at home.
    pub(super) fn assert_absent(&self, said: &Haystack) {
        assert!(self.0.len() >= 10, "there is too little to look for");
        let mut found = Vec::new();
        for straw in &said.0 {
            let shown = self.0.iter().filter(|needle| needle.shows_in(straw));
            found.extend(shown.map(|needle| format!("{} in {}", needle.what, straw.place)));
        }
        assert!(found.is_empty(), "{}", found.join("; "));
    }
}

impl Needle {
    fn shows_in(&self, straw: &Straw) -> bool {
        let home = self.at_home.iter().any(|file| straw.place.ends_with(file));
        !home && self.forms.iter().any(|form| contains(&straw.bytes, form))
    }
}

/// As it is, in hexadecimal digits (a dump of the database), and in base64 at each of the three places in a longer text.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_vec(), hexadecimal.into_bytes()];
    for before in 0..3 {
        let mut shifted = vec![b'.'; before];
        shifted.extend_from_slice(secret);
        shifted.truncate(shifted.len() / 3 * 3);
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            let begins = if before == 0 { 0 } else { 4 };
            forms.push(encoded.as_bytes()[begins..].to_vec());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = b"canary-0123456789";
    let mut needles = Needles::default();
    needles.add("a secret", secret);
    let base64 = |before: &str| {
        let text = [before.as_bytes(), secret, b"~after"].concat();
        [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)]
    };
    let mut texts = vec![format!("({})", String::from_utf8_lossy(secret))];
    texts.push("..63616e6172792d30313233343536373839..".to_owned());
    for before in ["", "\0", "user=a\x01", "auth"] {
        texts.extend(base64(before));
    }
    for text in texts {
        let straw = Straw {
            place: "a log".to_owned(),
            bytes: text.clone().into_bytes(),
        };
        assert!(needles.0[0].shows_in(&straw), "{text}");
    }
}
