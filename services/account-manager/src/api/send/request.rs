//! The body of a request to send.

use serde::{Deserialize, Serialize};

/// A mail, in its parts or as raw source.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SendMail {
    pub(crate) from_name: Option<String>,
    pub(crate) to: Vec<Party>,
    pub(crate) cc: Vec<Party>,
    pub(crate) bcc: Vec<Party>,
    pub(crate) reply_to: Vec<Party>,
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) in_reply_to: Option<String>,
    pub(crate) references: Vec<String>,
    pub(crate) attachments: Vec<Attachment>,
    /// The whole message in base64, in the place of subject, text and the like.
    pub(crate) raw: Option<String>,
}

/// Somebody: `"ada@example.org"` or `{"name": .., "address": ..}`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Party {
    Address(String),
    Named {
        #[serde(default)]
        name: Option<String>,
        address: String,
    },
}

/// A file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    pub(crate) name: String,
    #[serde(rename = "type", default = "any_type")]
    pub(crate) content_type: String,
    /// In base64.
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) content_id: Option<String>,
}

fn any_type() -> String {
    "application/octet-stream".to_owned()
}
