//! The event catalogue: one type per event.
//!
//! Facts are in the past tense, requests end in `Requested`. A field is only ever added (with a default, so that old
//! events still parse); a change of meaning is a new version, and the old one keeps a handler until it has drained.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    AccountId, AccountState, AuthenticationMethod, ChangeId, CredentialId, FolderId, GrantId, MessageId,
    RegistrationId, SubmissionId, SubmissionState, ThreadId, WhoCanAct,
};

/// The flags of one message after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagsChange {
    /// The message.
    pub message_id: MessageId,
    /// Its flags now, as IMAP writes them (`\\Seen`, keywords).
    pub flags: Vec<String>,
}

/// What became of a submission for one recipient. The address is in the submission, not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientOutcome {
    /// Number of the recipient within the submission, from 0.
    pub recipient: i32,
    /// Its state.
    pub state: SubmissionState,
    /// SMTP reply code (RFC 5321, section 4.2), if the server gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp_code: Option<u16>,
    /// Enhanced status code (RFC 3463), if the server gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced_code: Option<String>,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $event_type:literal, about $subject:ident {
        $($(#[$fdoc:meta])* $field:ident: $kind:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub struct $name {
                $($(#[$fdoc])* pub $field: $kind,)*
            }

            impl $name {
                /// The event's type as written in its envelope.
                pub const TYPE: &'static str = concat!("postroom.", $event_type, ".v1");
            }

            impl From<$name> for Event {
                fn from(event: $name) -> Self {
                    Self::$name(event)
                }
            }
        )*

        /// Any event of the catalogue.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $name($name),)*
        }

        impl Event {
            /// Every type, in the order of the catalogue.
            pub const TYPES: &'static [&'static str] = &[$($name::TYPE),*];

            /// The type as written in the envelope, such as `postroom.account.connected.v1`.
            pub const fn event_type(&self) -> &'static str {
                match self { $(Self::$name(_) => $name::TYPE,)* }
            }

            /// What the event is about.
            pub fn subject(&self) -> Uuid {
                match self { $(Self::$name(event) => event.$subject.0,)* }
            }

            /// The event's fields as JSON.
            pub fn data(&self) -> Value {
                match self { $(Self::$name(event) => to_value(event),)* }
            }

            /// Reads an event of a named type.
            ///
            /// # Errors
            /// What does not fit, as text: an unknown type, a missing field, a field of another kind.
            pub fn parse(event_type: &str, data: &Value) -> Result<Self, String> {
                match event_type {
                    $($name::TYPE => from_value::<$name>(data).map(Self::$name),)*
                    _ => Err("this build knows no event of that type".to_owned()),
                }
            }
        }
    };
}

fn to_value(event: &impl Serialize) -> Value {
    // Cannot fail for these types: their maps have string keys and nothing in them refuses to serialize.
    serde_json::to_value(event).unwrap_or(Value::Null)
}

fn from_value<T: DeserializeOwned>(data: &Value) -> Result<T, String> {
    T::deserialize(data).map_err(|error| error.to_string())
}

catalogue! {
    /// The credentials were proved on IMAP and SMTP: start.
    AccountConnected = "account.connected", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
        /// The grant it signs in with, if by OAuth 2.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant_id: Option<GrantId>,
    }

    /// Same account, new way in; nothing is fetched again.
    AuthenticationMethodChanged = "account.authentication_method_changed", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
        /// The new way in.
        method: AuthenticationMethod,
        /// The grant it signs in with, if by OAuth 2.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant_id: Option<GrantId>,
        /// The credential that is to be erased once nothing uses it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_credential_id: Option<CredentialId>,
    }

    /// Folders chosen, filters, pause, resume.
    AccountSettingsChanged = "account.settings_changed", about account_id {
        /// The account.
        account_id: AccountId,
        /// Whether the account is paused now.
        paused: bool,
    }

    /// A person must act; says who and why.
    ReauthorizationRequired = "account.reauthorization_required", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
        /// The grant's token version it was decided on, if by OAuth 2.0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_version: Option<i64>,
        /// Stable snake_case code of the cause.
        cause: String,
        /// Who can end it.
        who_can_act: WhoCanAct,
    }

    /// The server can be reached again.
    AccountRecovered = "account.recovered", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
    }

    /// The server cannot be reached; Postroom keeps trying.
    AccountUnreachable = "account.unreachable", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
        /// Stable snake_case code of the cause.
        cause: String,
        /// Who can end it.
        who_can_act: WhoCanAct,
    }

    /// The account receives but cannot send.
    SendBlocked = "account.send_blocked", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
        /// Stable snake_case code of the cause.
        cause: String,
        /// Who can end it.
        who_can_act: WhoCanAct,
    }

    /// The account can send again.
    SendUnblocked = "account.send_unblocked", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
    }

    /// Stop, revoke, forget secrets; purge if asked.
    AccountDisconnected = "account.disconnected", about account_id {
        /// The account.
        account_id: AccountId,
        /// The account's credential generation when this was decided; a newer one outdates it.
        credential_generation: i64,
        /// Whether the stored mail is to be erased too.
        purge: bool,
    }

    /// A grant's access token nears its end: refresh it.
    TokenExpiring = "token.expiring", about grant_id {
        /// The grant.
        grant_id: GrantId,
        /// The grant's token version when this was decided; a newer one outdates it.
        token_version: i64,
        /// When the access token ends, if the provider said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    }

    /// A server refused an access token that looked valid.
    TokenRejected = "token.rejected", about grant_id {
        /// The grant.
        grant_id: GrantId,
        /// The grant's token version when this was decided; a newer one outdates it.
        token_version: i64,
        /// The account whose sign-in was refused.
        account_id: AccountId,
    }

    /// A new access token is in the store.
    TokenRefreshed = "token.refreshed", about grant_id {
        /// The grant.
        grant_id: GrantId,
        /// The grant's token version when this was decided; a newer one outdates it.
        token_version: i64,
        /// When it ends, if the provider said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    }

    /// The operator's own OAuth registration nears its end.
    ClientSecretExpiring = "token.client_secret_expiring", about registration_id {
        /// The registration.
        registration_id: RegistrationId,
        /// When its client secret or certificate ends.
        expires_at: DateTime<Utc>,
        /// Its name in the operator's file.
        #[serde(default)]
        registration: String,
    }

    /// Sync now.
    SyncRequested = "sync.requested", about account_id {
        /// The account.
        account_id: AccountId,
        /// Only this folder; every folder when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder_id: Option<FolderId>,
    }

    /// The first sync of an account began.
    BackfillStarted = "backfill.started", about account_id {
        /// The account.
        account_id: AccountId,
        /// Messages that the server counts in the folders to sync.
        messages_total: i64,
    }

    /// A part of the first sync is stored.
    BackfillProgressed = "backfill.progressed", about account_id {
        /// The account.
        account_id: AccountId,
        /// Messages stored so far.
        messages_done: i64,
        /// Messages that the server counts in the folders to sync.
        messages_total: i64,
    }

    /// The first sync of an account is stored completely.
    BackfillCompleted = "backfill.completed", about account_id {
        /// The account.
        account_id: AccountId,
        /// Messages stored.
        messages_done: i64,
    }

    /// Messages that are not new mail were stored, by id.
    MessagesImported = "message.imported", about account_id {
        /// The account.
        account_id: AccountId,
        /// The folder.
        folder_id: FolderId,
        /// The messages, at most 500.
        message_ids: Vec<MessageId>,
    }

    /// New mail: a UID at or above the UIDNEXT recorded when the folder was first selected, not known before, and not among the sent mail or the drafts.
    MessageReceived = "message.received", about account_id {
        /// The account.
        account_id: AccountId,
        /// The folder.
        folder_id: FolderId,
        /// The message.
        message_id: MessageId,
    }

    /// A late parent joined two threads.
    ThreadsMerged = "thread.merged", about account_id {
        /// The account.
        account_id: AccountId,
        /// The older one, which stays.
        surviving_thread_id: ThreadId,
        /// The one that is gone.
        retired_thread_id: ThreadId,
    }

    /// The state that people see changed.
    AccountStateChanged = "account.state_changed", about account_id {
        /// The account.
        account_id: AccountId,
        /// The state before.
        from: AccountState,
        /// The state now.
        to: AccountState,
        /// Stable snake_case code of the cause, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// Who can end it.
        who_can_act: WhoCanAct,
    }

    /// Flags changed on the server.
    MessageFlagsChanged = "message.flags_changed", about account_id {
        /// The account.
        account_id: AccountId,
        /// The folder.
        folder_id: FolderId,
        /// What changed, at most 500.
        changes: Vec<FlagsChange>,
    }

    /// Messages moved from one folder to another.
    MessageMoved = "message.moved", about account_id {
        /// The account.
        account_id: AccountId,
        /// Where they were.
        from_folder_id: FolderId,
        /// Where they are.
        to_folder_id: FolderId,
        /// The messages, at most 500.
        message_ids: Vec<MessageId>,
    }

    /// Messages left their last folder.
    MessageDeleted = "message.deleted", about account_id {
        /// The account.
        account_id: AccountId,
        /// The folder.
        folder_id: FolderId,
        /// The messages, at most 500.
        message_ids: Vec<MessageId>,
    }

    /// The server gave the folder a new UIDVALIDITY; its messages are linked again without being announced again.
    FolderReset = "folder.reset", about account_id {
        /// The account.
        account_id: AccountId,
        /// The folder.
        folder_id: FolderId,
        /// The UIDVALIDITY before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid_validity_before: Option<i64>,
        /// The UIDVALIDITY now.
        uid_validity: i64,
    }

    /// Folders came, went or were renamed.
    FoldersChanged = "folder.changed", about account_id {
        /// The account.
        account_id: AccountId,
        /// New folders.
        added: Vec<FolderId>,
        /// Folders that are gone.
        removed: Vec<FolderId>,
        /// Folders with a new name.
        renamed: Vec<FolderId>,
    }

    /// A message is kept raw but could not be understood.
    MessageQuarantined = "message.quarantined", about account_id {
        /// The account.
        account_id: AccountId,
        /// The message.
        message_id: MessageId,
        /// Stable snake_case code of the cause.
        cause: String,
    }

    /// Set flags, move or delete.
    MessageChangeRequested = "message.change_requested", about account_id {
        /// The account.
        account_id: AccountId,
        /// The change.
        change_id: ChangeId,
    }

    /// A change was confirmed by reading it back.
    MessageChangeApplied = "message.change_applied", about account_id {
        /// The account.
        account_id: AccountId,
        /// The change.
        change_id: ChangeId,
    }

    /// A change could not be made.
    MessageChangeRejected = "message.change_rejected", about account_id {
        /// The account.
        account_id: AccountId,
        /// The change.
        change_id: ChangeId,
        /// Stable snake_case code of the cause.
        cause: String,
    }

    /// Submit a stored submission.
    SendRequested = "send.requested", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
    }

    /// The server took the mail, for the recipients it accepted.
    MessageSent = "send.sent", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
        /// The attempt, from 1.
        attempt: i32,
        /// What became of it, per recipient.
        recipients: Vec<RecipientOutcome>,
    }

    /// The server refused for now; it is tried again.
    SendDeferred = "send.deferred", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
        /// The attempt, from 1.
        attempt: i32,
        /// When it is tried again.
        next_attempt_at: DateTime<Utc>,
        /// Stable snake_case code of the cause.
        cause: String,
        /// What became of it, per recipient.
        recipients: Vec<RecipientOutcome>,
    }

    /// The mail was refused for good, or its time ran out.
    SendFailed = "send.failed", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
        /// The attempt, from 1.
        attempt: i32,
        /// Stable snake_case code of the cause.
        cause: String,
        /// What became of it, per recipient.
        recipients: Vec<RecipientOutcome>,
    }

    /// Whether the server took the mail is not known.
    SendUncertain = "send.uncertain", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
        /// The attempt, from 1.
        attempt: i32,
        /// Stable snake_case code of the cause.
        cause: String,
    }

    /// Cancelled before it was sent.
    SendCancelled = "send.cancelled", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
    }

    /// A delivery status notification, tied to its submission.
    MessageBounced = "message.bounced", about account_id {
        /// The account.
        account_id: AccountId,
        /// The submission.
        submission_id: SubmissionId,
        /// The notification.
        message_id: MessageId,
        /// Number of the recipient within the submission, from 0.
        recipient: i32,
        /// Whether it failed for good.
        permanent: bool,
        /// Stable snake_case code of the reason.
        reason: String,
    }
}
