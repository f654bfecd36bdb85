//! What a server says it can do in its answer to EHLO (RFC 5321 section 4.1.1.1).

use super::reply::SmtpReply;
use crate::sasl::Mechanism;

/// The extensions of one server at one moment; asked anew after STARTTLS and after signing in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SmtpCapabilities {
    /// STARTTLS (RFC 3207).
    pub start_tls: bool,
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531): addresses that are not ASCII.
    pub smtp_utf8: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// SIZE (RFC 1870) is understood.
    pub size: bool,
    /// Longest message the server takes, in bytes; `None` if it does not say.
    pub max_size: Option<u64>,
    /// AUTH (RFC 4954): the mechanisms of ours that are offered.
    pub mechanisms: Vec<Mechanism>,
    /// All names after AUTH as the server wrote them, at most 20.
    pub offered: Vec<String>,
}

impl SmtpCapabilities {
    /// Reads the answer to EHLO; its first line is a greeting.
    pub(super) fn from_reply(reply: &SmtpReply) -> Self {
        let mut capabilities = Self::default();
        for line in reply.lines().iter().skip(1) {
            // Old servers write AUTH=LOGIN.
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "STARTTLS" => capabilities.start_tls = true,
                "PIPELINING" => capabilities.pipelining = true,
                "8BITMIME" => capabilities.eight_bit_mime = true,
                "SMTPUTF8" => capabilities.smtp_utf8 = true,
                "CHUNKING" => capabilities.chunking = true,
                "DSN" => capabilities.dsn = true,
                "SIZE" => {
                    capabilities.size = true;
                    // 0 means no fixed limit (RFC 1870 section 4).
                    capabilities.max_size = words
                        .next()
                        .and_then(|size| size.parse().ok())
                        .filter(|size| *size > 0);
                }
                "AUTH" => words.for_each(|name| capabilities.add_mechanism(name)),
                _ => {}
            }
        }
        capabilities
    }

    fn add_mechanism(&mut self, name: &str) {
        let known = self
            .offered
            .iter()
            .any(|offered| offered.eq_ignore_ascii_case(name));
        if known || self.offered.len() == 20 {
            return;
        }
        self.offered.push(name.chars().take(40).collect());
        self.mechanisms.extend(Mechanism::from_name(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::reply::ReplyBuilder;

    fn read(lines: &[&str]) -> SmtpCapabilities {
        let mut builder = ReplyBuilder::default();
        let replies = lines
            .iter()
            .filter_map(|line| builder.push(line.as_bytes()).unwrap());
        SmtpCapabilities::from_reply(&replies.last().unwrap())
    }

    #[test]
    fn reads_what_postfix_and_microsoft_say() {
        let postfix = read(&[
            "250-mail.example",
            "250-PIPELINING",
            "250-SIZE 10240000",
            "250-AUTH PLAIN LOGIN XOAUTH2",
            "250-AUTH=PLAIN LOGIN",
            "250-8BITMIME",
            "250-DSN",
            "250-SMTPUTF8",
            "250 CHUNKING",
        ]);
        assert!(
            postfix.pipelining
                && postfix.eight_bit_mime
                && postfix.dsn
                && postfix.smtp_utf8
                && postfix.chunking
        );
        assert_eq!(postfix.max_size, Some(10_240_000));
        assert_eq!(
            postfix.mechanisms,
            [Mechanism::Plain, Mechanism::Login, Mechanism::XOAuth2]
        );
        assert!(!postfix.start_tls);
        let microsoft = read(&[
            "250-outlook Hello [192.0.2.1]",
            "250-SIZE 157286400",
            "250-starttls",
            "250 SMTPUTF8",
        ]);
        assert!(microsoft.start_tls && microsoft.mechanisms.is_empty());
        assert_eq!(read(&["250-x", "250 SIZE 0"]).max_size, None);
    }

    #[test]
    fn the_greeting_line_is_no_extension() {
        assert!(!read(&["250 STARTTLS"]).start_tls);
    }
}
