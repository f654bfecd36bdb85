//! Typed ids: an `AccountId` can never be passed where a `FolderId` is meant.
//!
//! With the feature `sea-orm`, which only `store` turns on, ids and state names are column types.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "sea-orm", derive(sea_orm::DeriveValueType))]
        pub struct $name(pub Uuid);

        #[cfg(feature = "sea-orm")]
        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl $name {
            /// A new id. UUID version 7 (RFC 9562, section 5.7): ids made later sort later, which keeps indexes dense.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    /// A CRM that uses this Postroom.
    TenantId
    /// A connected mailbox.
    AccountId
    /// A way to sign in: a sealed password, or a reference to a grant.
    CredentialId
    /// What an identity provider gave us for one person or tenant.
    GrantId
    /// An OAuth client registration of the operator at an identity provider.
    RegistrationId
    /// A folder of an account (an IMAP mailbox).
    FolderId
    /// An email as stored here (our row, not the Message-ID header).
    MessageId
    /// A conversation of messages.
    ThreadId
    /// An object in the object store that holds many compressed messages of one account.
    PackId
    /// An outgoing mail that was asked for.
    SubmissionId
    /// A change that was asked for on messages of an account (flags, move, delete).
    ChangeId
    /// Durable work for the holder of an account's lease.
    WorkId
    /// An event.
    EventId
    /// A running process of a service, for as long as it lives.
    WorkerId
    /// An API key of a tenant.
    ApiKeyId
    /// A one-time link into the pages.
    SignInLinkId
    /// A person's signed-in browser.
    WebSessionId
    /// A started, not yet finished, OAuth sign-in.
    AuthorizationRequestId
    /// A sign-in on another device that a terminal waits for.
    DeviceSignInId
    /// A delivery that was given up and waits for a person.
    DeadLetterId
}

/// Namespace of the ids that are made from the names of registrations.
const REGISTRATIONS: Uuid = Uuid::from_u128(0x7d3c_1a52_90b4_4f0e_8f61_2c5d_0e97_a4b8);

impl RegistrationId {
    /// The id of the registration of that name: the same one in every process (RFC 9562, section 5.5).
    pub fn of_name(name: &str) -> Self {
        Self(Uuid::new_v5(&REGISTRATIONS, name.as_bytes()))
    }
}
