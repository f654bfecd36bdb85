//! What is known about one mail provider.

use std::time::Duration;

use postroom_events::AuthenticationMethod;
use serde::Deserialize;
use url::Url;

use crate::oauth_endpoints::OAuthEndpoints;

/// One mail provider; the fields are explained at the top of `providers.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Short name that never changes.
    pub id: String,
    /// Id of the root entry that this one extends, its own otherwise: OAuth registrations serve a family.
    pub family: String,
    /// As people know it.
    pub name: String,
    /// Domains, in lower case, whose addresses are certainly this provider's.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Ends of MX host names that mean this provider.
    #[serde(default)]
    pub mx: Vec<String>,
    /// Ends of MX host names that this provider shares with others, so that they mean nobody.
    #[serde(default)]
    pub mx_shared: Vec<String>,
    /// IMAP servers, best first; empty if they depend on the mailbox.
    #[serde(default)]
    pub imap: Vec<MailServer>,
    /// Submission servers, best first; empty if they depend on the mailbox.
    #[serde(default)]
    pub smtp: Vec<MailServer>,
    /// Ways to sign in, best first.
    pub sign_in: Vec<AuthenticationMethod>,
    /// What to sign in with.
    #[serde(default)]
    pub username: UsernameForm,
    /// What to sign in to SMTP with, where it differs; see [`Provider::smtp_username`].
    #[serde(default)]
    smtp_username: Option<UsernameForm>,
    /// How to get a grant.
    #[serde(default)]
    pub oauth: Option<OAuthEndpoints>,
    /// Where a person makes an app password.
    #[serde(default)]
    pub app_password_help: Option<Url>,
    /// Where a person switches IMAP on.
    #[serde(default)]
    pub enable_imap_help: Option<Url>,
    /// A sentence for a person whose sign-in was refused.
    #[serde(default)]
    pub sign_in_hint: Option<String>,
    /// Whether mail sent by SMTP appears in Sent by itself.
    pub sent_saved_by_server: SentCopy,
    #[serde(default = "default_idle_renew_secs")]
    idle_renew_secs: u64,
    /// What we use at most for one mailbox.
    #[serde(default)]
    pub budget: Budget,
    /// Where it differs from the standards.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
}

impl Provider {
    /// Whether it has this quirk.
    #[must_use]
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// What to sign in to SMTP with.
    #[must_use]
    pub fn smtp_username(&self) -> UsernameForm {
        self.smtp_username.unwrap_or(self.username)
    }

    /// IDLE is renewed after this time.
    #[must_use]
    pub fn idle_renew(&self) -> Duration {
        Duration::from_secs(self.idle_renew_secs)
    }
}

/// RFC 2177: less than 29 minutes; 25 leave room for a slow answer.
fn default_idle_renew_secs() -> u64 {
    25 * 60
}

/// Where a mail server listens, as data. The host is checked where it is used.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
}

/// When TLS begins. There is no mode without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum TlsMode {
    /// From the first byte (ports 993 and 465).
    #[serde(rename = "tls")]
    Implicit,
    /// After the STARTTLS command (ports 143 and 587).
    #[serde(rename = "starttls")]
    StartTls,
}

/// What a person signs in with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsernameForm {
    /// The whole address.
    #[default]
    Address,
    /// What stands before the `@`.
    LocalPart,
    /// It cannot be known: propose the address and let the person change it.
    Any,
}

impl UsernameForm {
    /// The user name for `address`; for [`UsernameForm::Any`] the one to propose.
    #[must_use]
    pub fn of(self, address: &str) -> &str {
        match self {
            Self::LocalPart => address.rsplit_once('@').map_or(address, |(local, _)| local),
            Self::Address | Self::Any => address,
        }
    }
}

/// Whether mail sent by SMTP appears in Sent by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentCopy {
    /// It does.
    Yes,
    /// It does not: append a copy.
    No,
    /// Look for it by Message-ID before appending a copy.
    Unknown,
}

/// What we use at most for one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// IMAP connections at the same time.
    pub imap_connections: u32,
    /// SMTP connections at the same time.
    pub smtp_connections: u32,
    /// Messages in a minute.
    pub messages_per_minute: Option<u32>,
    /// Messages in 24 hours.
    pub messages_per_day: Option<u32>,
    /// Recipients in 24 hours.
    pub recipients_per_day: Option<u32>,
    /// Recipients of one message.
    pub recipients_per_message: Option<u32>,
    /// Seconds to wait when it says that we are too fast without saying for how long.
    pub throttle_hint_secs: Option<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            imap_connections: 2,
            smtp_connections: 1,
            messages_per_minute: None,
            messages_per_day: None,
            recipients_per_day: None,
            recipients_per_message: None,
            throttle_hint_secs: None,
        }
    }
}

/// Where a server differs from the standards, each said for what we must not or must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// Never ENABLE or SELECT with QRESYNC: it is advertised and does not work.
    NoQresync,
    /// Never ENABLE IMAP4rev2: it is accepted, and then searches answer empty.
    NoImap4rev2,
    /// SEARCH with CHARSET is refused.
    NoSearchCharset,
    /// ID with an empty list closes the session.
    NoEmptyId,
    /// Folders are labels: one message lies in many, and All Mail, Trash and Spam hold the content.
    LabelsAreFolders,
    /// The IMAP session ends with the access token: renew the token and reconnect before.
    SessionEndsWithToken,
    /// Sent mail gets another Message-ID.
    RewritesMessageId,
    /// The person chooses in the provider's settings which folders IMAP shows at all.
    FoldersChosenThere,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_made_from_addresses() {
        assert_eq!(UsernameForm::Address.of("ada@icloud.com"), "ada@icloud.com");
        assert_eq!(UsernameForm::LocalPart.of("ada@icloud.com"), "ada");
        assert_eq!(UsernameForm::LocalPart.of("no at sign"), "no at sign");
    }
}
