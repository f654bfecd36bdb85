//! Names of states that people see, and of who can act on them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A stored or received name that is none of those known here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a known {of}")]
pub struct UnknownName {
    /// The kind of name that was expected.
    pub of: &'static str,
    /// What was found.
    pub name: String,
}

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident, $of:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "sea-orm", derive(sea_orm::DeriveValueType), sea_orm(value_type = "String"))]
        pub enum $kind {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $kind {
            /// Every value, in the order in which it is declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name as stored, sent and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $kind {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(UnknownName { of: $of, name: text.chars().take(80).collect() }),
                }
            }
        }
    };
}

names! {
    /// The state of an account, as people see it.
    AccountState, "account state" {
        /// The way in is being proved.
        Connecting = "connecting",
        /// The first sync is under way.
        Syncing = "syncing",
        /// Mail flows.
        Connected = "connected",
        /// The person must sign in again.
        NeedsReauthorization = "needs_reauthorization",
        /// The person's administrator must approve first.
        AwaitingAdmin = "awaiting_admin",
        /// The server cannot be reached; Postroom keeps trying.
        Unreachable = "unreachable",
        /// Paused by a person.
        Paused = "paused",
        /// Disconnected for good; secrets are forgotten.
        Disconnected = "disconnected",
    }
}

names! {
    /// Who can end a fault.
    WhoCanAct, "party" {
        /// The person whose mailbox it is.
        User = "user",
        /// The administrator of the person's organization.
        Administrator = "administrator",
        /// Whoever runs this Postroom.
        Operator = "operator",
        /// Nobody needs to: Postroom tries again by itself.
        Nobody = "nobody",
    }
}

names! {
    /// How an account signs in.
    AuthenticationMethod, "authentication method" {
        /// The mailbox's password.
        Password = "password",
        /// A password made for one application, where the mailbox has multi-factor authentication.
        AppPassword = "app_password",
        /// OAuth 2.0 with a grant of the person.
        OAuth2 = "oauth2",
    }
}

names! {
    /// The state of a grant.
    GrantState, "grant state" {
        /// It can be used and refreshed.
        Active = "active",
        /// The person must sign in again.
        NeedsReauthorization = "needs_reauthorization",
        /// It was given back; its tokens are forgotten.
        Revoked = "revoked",
    }
}

names! {
    /// Whether an account can send.
    SendCondition, "send condition" {
        /// Nothing is known against it.
        Ok = "ok",
        /// It receives but cannot send.
        Blocked = "send_blocked",
    }
}

names! {
    /// The state of a submission, and of each of its recipients.
    SubmissionState, "submission state" {
        /// Waits for its turn.
        Queued = "queued",
        /// Waits for its time.
        Scheduled = "scheduled",
        /// An attempt is under way.
        Sending = "sending",
        /// The server took it.
        Sent = "sent",
        /// The server refused for now; it is tried again.
        Deferred = "deferred",
        /// The server refused for good, or the time ran out.
        Failed = "failed",
        /// Whether the server took it is not known, and cannot be found out without a person.
        Uncertain = "uncertain",
        /// Cancelled before it was sent.
        Cancelled = "cancelled",
        /// Taken by the server and returned later.
        Bounced = "bounced",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_strangers_are_refused() {
        for state in AccountState::ALL {
            assert_eq!(state.as_str().parse::<AccountState>().as_ref(), Ok(state));
        }
        let error = "sleeping".parse::<AccountState>().unwrap_err();
        assert_eq!(error.to_string(), "'sleeping' is not a known account state");
    }
}
