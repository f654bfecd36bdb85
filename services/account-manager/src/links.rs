//! One-time links into the pages.

use chrono::{DateTime, Utc};
use postroom_crypto::new_token;
use postroom_events::TenantId;
use postroom_store::{
    Store, StoreError,
    sessions::{self, NewSignInLink},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    connect::draft::ConnectDraft,
    state::{AppState, ManagerSettings},
};

/// A link that was made; its address is shown once and not kept.
#[derive(Debug, Serialize)]
pub struct MadeLink {
    #[serde(serialize_with = "exposed")]
    url: SecretString,
    expires_at: DateTime<Utc>,
}

/// Whoever asked for the link is the one to get it.
fn exposed<S: serde::Serializer>(url: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.expose_secret())
}

impl MadeLink {
    /// The address to open.
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// Until when it can be used.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// The link as the answer to a request to connect by OAuth 2.0.
    pub(crate) fn as_authorization(&self) -> Value {
        json!({ "authorization_url": self.url.expose_secret(), "expires_at": self.expires_at })
    }
}

/// A link that lets a person in: for the API, and for `postroom run`, which prints one at start.
///
/// # Errors
/// When the database refuses.
pub async fn make(
    store: &Store,
    settings: &ManagerSettings,
    tenant_id: TenantId,
    user_ref: &str,
    draft: Option<Value>,
) -> Result<MadeLink, StoreError> {
    let bound = Bound {
        draft,
        ..Bound::default()
    };
    make_bound(store, settings, tenant_id, user_ref, bound).await
}

/// What a link is bound to beside the person.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// The account that is to be connected, with all its fields.
    pub(crate) draft: Option<Value>,
    /// The only address that may be added.
    pub(crate) expected_address: Option<String>,
    /// Where the person goes afterwards, checked by [`return_url`](crate::return_url).
    pub(crate) return_url: Option<String>,
}

async fn make_bound(
    store: &Store,
    settings: &ManagerSettings,
    tenant_id: TenantId,
    user_ref: &str,
    bound: Bound,
) -> Result<MadeLink, StoreError> {
    let (token, digest) = new_token("")?;
    let tx = store.begin("sign_in_link.make").await?;
    let link = NewSignInLink {
        tenant_id,
        user_ref: user_ref.to_owned(),
        digest,
        draft: bound.draft,
        expected_address: bound.expected_address,
        return_url: bound.return_url,
        lifetime: settings.link_lifetime,
    };
    let row = sessions::add_link(&tx, link).await?;
    tx.commit().await?;
    Ok(MadeLink {
        url: settings.page(&format!("/enter/{}", token.expose_secret())).into(),
        expires_at: row.expires_at,
    })
}

pub(crate) async fn for_entering(
    state: &AppState,
    tenant_id: TenantId,
    user_ref: &str,
    bound: Bound,
) -> Result<MadeLink, StoreError> {
    make_bound(state.store(), state.settings(), tenant_id, user_ref, bound).await
}

/// A link that leads to the page where a person connects exactly this account.
pub(crate) async fn for_connecting(
    state: &AppState,
    tenant_id: TenantId,
    draft: &ConnectDraft,
) -> Result<MadeLink, StoreError> {
    // Cannot fail: a draft has string keys only.
    let stored = serde_json::to_value(draft).unwrap_or_default();
    make(
        state.store(),
        state.settings(),
        tenant_id,
        &draft.user_ref,
        Some(stored),
    )
    .await
}
