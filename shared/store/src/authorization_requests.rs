//! OAuth sign-ins that are under way: what must be known again when the person comes back.
//!
//! A request is bound to one browser and one `state`, and is used up by the first answer to it.

use std::time::Duration;

use postroom_crypto::{KeyRing, SealContext, SealedSecret, TokenDigest};
use postroom_events::{AccountId, AuthorizationRequestId, TenantId, WebSessionId};
use postroom_retry::clock;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use secrecy::SecretString;
use serde_json::Value as Json;

use crate::{AuthorizationRequest, StoreError, Tx, entities::authorization_request};

/// A sign-in that is about to begin.
#[derive(Debug)]
pub struct NewAuthorizationRequest {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The CRM's id of the person.
    pub user_ref: String,
    /// The browser that begins it.
    pub web_session_id: WebSessionId,
    /// Id of the registration at the identity provider.
    pub provider_id: String,
    /// The account that is to be connected again, if it exists.
    pub account_id: Option<AccountId>,
    /// Digest of `state`.
    pub state: TokenDigest,
    /// The PKCE verifier (RFC 7636).
    pub pkce_verifier: SecretString,
    /// The `nonce` that the id token must repeat.
    pub nonce: String,
    /// The redirect URI, exactly as sent.
    pub redirect_uri: String,
    /// The account that is to be connected.
    pub draft: Json,
    /// How long the person may take.
    pub lifetime: Duration,
}

/// What came of an answer to a request.
#[derive(Debug)]
pub enum Take {
    /// It is the browser's own, and is used up now.
    Taken(Box<AuthorizationRequest>),
    /// It was answered before.
    UsedBefore,
    /// The person took too long.
    Expired,
    /// Another browser began it.
    OtherBrowser,
    /// There is none with this `state`.
    Unknown,
}

fn place(tenant_id: TenantId, id: AuthorizationRequestId) -> SealContext {
    SealContext {
        tenant: tenant_id.0,
        table: "authorization_requests",
        column: "sealed_pkce_verifier",
        row: id.0,
    }
}

/// Keeps a request.
///
/// # Errors
/// When the verifier cannot be sealed, or the database refuses.
pub async fn add(
    tx: &Tx,
    keys: &KeyRing,
    new: NewAuthorizationRequest,
) -> Result<AuthorizationRequestId, StoreError> {
    let id = AuthorizationRequestId::generate();
    let now = tx.store().clock().now();
    let sealed = keys.seal(&place(new.tenant_id, id), &new.pkce_verifier)?;
    let row = authorization_request::ActiveModel {
        id: Set(id),
        tenant_id: Set(new.tenant_id),
        user_ref: Set(new.user_ref),
        web_session_id: Set(new.web_session_id),
        provider_id: Set(new.provider_id),
        account_id: Set(new.account_id),
        state_digest: Set(new.state.as_bytes().to_vec()),
        sealed_pkce_verifier: Set(sealed.into_bytes()),
        nonce: Set(new.nonce),
        redirect_uri: Set(new.redirect_uri),
        draft: Set(new.draft),
        created_at: Set(now),
        expires_at: Set(clock::plus(now, new.lifetime)),
        used_at: Set(None),
    };
    authorization_request::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    Ok(id)
}

/// Uses a request up, if this browser began it and it is neither used nor too old.
///
/// # Errors
/// When the database refuses.
pub async fn take(tx: &Tx, state: &TokenDigest, browser: WebSessionId) -> Result<Take, StoreError> {
    use authorization_request::Column;
    let now = tx.store().clock().now();
    let taken = authorization_request::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::StateDigest.eq(state.as_bytes().to_vec()))
        .filter(Column::WebSessionId.eq(browser))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(tx.db())
        .await?;
    let row = authorization_request::Entity::find()
        .filter(Column::StateDigest.eq(state.as_bytes().to_vec()))
        .one(tx.db())
        .await?;
    Ok(match row {
        None => Take::Unknown,
        Some(row) if taken.rows_affected == 1 => Take::Taken(Box::new(row)),
        Some(row) if row.web_session_id != browser => Take::OtherBrowser,
        Some(row) if row.used_at.is_some() => Take::UsedBefore,
        Some(_) => Take::Expired,
    })
}

/// The PKCE verifier of a request.
///
/// # Errors
/// When it cannot be opened.
pub fn open_pkce_verifier(
    keys: &KeyRing,
    request: &AuthorizationRequest,
) -> Result<SecretString, StoreError> {
    let sealed = SealedSecret::from_bytes(request.sealed_pkce_verifier.clone());
    Ok(keys.open(&place(request.tenant_id, request.id), &sealed)?)
}

/// Forgets requests whose time is over. Gives how many.
///
/// # Errors
/// When the database refuses.
pub async fn forget_ended(tx: &Tx) -> Result<u64, StoreError> {
    let now = tx.store().clock().now();
    let gone = authorization_request::Entity::delete_many()
        .filter(authorization_request::Column::ExpiresAt.lte(now))
        .exec(tx.db())
        .await?;
    Ok(gone.rows_affected)
}
