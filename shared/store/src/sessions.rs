//! How a person enters the pages: one-time links, and the browsers that used them.
//!
//! Of links and of session cookies only digests are kept.

use std::time::Duration;

use postroom_crypto::TokenDigest;
use postroom_events::{SignInLinkId, TenantId, WebSessionId};
use postroom_retry::clock;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::Value as Json;

use crate::{
    SignInLink, Store, StoreError, Tx, WebSession,
    entities::{sign_in_link, web_session},
};

/// A link that lets a person in once.
#[derive(Debug)]
pub struct NewSignInLink {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The CRM's id of the person.
    pub user_ref: String,
    /// Digest of the token in the link.
    pub digest: TokenDigest,
    /// The account that the person is to connect, if the link was made for one.
    pub draft: Option<Json>,
    /// The only address that the person may add by it, if it was made for one.
    pub expected_address: Option<String>,
    /// Where the person goes afterwards: a URL that was checked.
    pub return_url: Option<String>,
    /// How long it can be used.
    pub lifetime: Duration,
}

/// What came of using a link.
#[derive(Debug)]
pub enum LinkUse {
    /// It was good, and is used up now.
    Entered(Box<SignInLink>),
    /// It was used before.
    UsedBefore,
    /// Its time is over.
    Expired,
    /// There is none such.
    Unknown,
}

/// Keeps a link.
///
/// # Errors
/// When the database refuses.
pub async fn add_link(tx: &Tx, new: NewSignInLink) -> Result<SignInLink, StoreError> {
    let now = tx.store().clock().now();
    let row = SignInLink {
        id: SignInLinkId::generate(),
        tenant_id: new.tenant_id,
        user_ref: new.user_ref,
        digest: new.digest.as_bytes().to_vec(),
        draft: new.draft,
        expected_address: new.expected_address,
        return_url: new.return_url,
        created_at: now,
        expires_at: clock::plus(now, new.lifetime),
        used_at: None,
    };
    sign_in_link::Entity::insert(sign_in_link::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.db())
        .await?;
    Ok(row)
}

/// Uses a link up: of two browsers that try at once, one gets in.
///
/// # Errors
/// When the database refuses.
pub async fn use_link(tx: &Tx, digest: &TokenDigest) -> Result<LinkUse, StoreError> {
    use sign_in_link::Column;
    let now = tx.store().clock().now();
    let taken = sign_in_link::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::Digest.eq(digest.as_bytes().to_vec()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .exec(tx.db())
        .await?;
    let row = sign_in_link::Entity::find()
        .filter(Column::Digest.eq(digest.as_bytes().to_vec()))
        .one(tx.db())
        .await?;
    Ok(match row {
        None => LinkUse::Unknown,
        Some(row) if taken.rows_affected == 1 => LinkUse::Entered(Box::new(row)),
        Some(row) if row.used_at.is_some() => LinkUse::UsedBefore,
        Some(_) => LinkUse::Expired,
    })
}

/// What a person was to connect by a link that they have used, until the link's own time is over.
///
/// # Errors
/// [`StoreError::NotFound`], also when the link was made for somebody else.
pub async fn draft_of_link(
    store: &Store,
    session: &WebSession,
    id: SignInLinkId,
) -> Result<Json, StoreError> {
    use sign_in_link::Column;
    sign_in_link::Entity::find_by_id(id)
        .filter(Column::TenantId.eq(session.tenant_id))
        .filter(Column::UserRef.eq(session.user_ref.as_str()))
        .filter(Column::UsedAt.is_not_null())
        .filter(Column::ExpiresAt.gt(store.clock().now()))
        .one(store.read())
        .await?
        .and_then(|row| row.draft)
        .ok_or_else(|| StoreError::not_found("connect link", id))
}

/// Lets a browser in.
///
/// # Errors
/// When the database refuses.
pub async fn start(
    tx: &Tx,
    tenant_id: TenantId,
    user_ref: &str,
    digest: TokenDigest,
    csrf_token: String,
    lifetime: Duration,
) -> Result<WebSession, StoreError> {
    let now = tx.store().clock().now();
    let row = WebSession {
        id: WebSessionId::generate(),
        tenant_id,
        user_ref: user_ref.to_owned(),
        digest: digest.as_bytes().to_vec(),
        csrf_token,
        expected_address: None,
        return_url: None,
        created_at: now,
        expires_at: clock::plus(now, lifetime),
    };
    web_session::Entity::insert(web_session::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.db())
        .await?;
    Ok(row)
}

/// Binds a session to what its link was made for.
///
/// # Errors
/// When the database refuses.
pub async fn bind(tx: &Tx, id: WebSessionId, link: &SignInLink) -> Result<(), StoreError> {
    use web_session::Column;
    web_session::Entity::update_many()
        .col_expr(
            Column::ExpectedAddress,
            Expr::value(link.expected_address.clone()),
        )
        .col_expr(Column::ReturnUrl, Expr::value(link.return_url.clone()))
        .filter(Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// The live session of a cookie with that digest.
///
/// # Errors
/// When the database refuses.
pub async fn find(store: &Store, digest: &TokenDigest) -> Result<Option<WebSession>, StoreError> {
    Ok(web_session::Entity::find()
        .filter(web_session::Column::Digest.eq(digest.as_bytes().to_vec()))
        .filter(web_session::Column::ExpiresAt.gt(store.clock().now()))
        .one(store.read())
        .await?)
}

/// Ends a session: its cookie lets nobody in any more.
///
/// # Errors
/// When the database refuses.
pub async fn end(tx: &Tx, id: WebSessionId) -> Result<(), StoreError> {
    web_session::Entity::delete_by_id(id).exec(tx.db()).await?;
    Ok(())
}

/// Forgets sessions and links whose time is over. Gives how many.
///
/// # Errors
/// When the database refuses.
pub async fn forget_ended(tx: &Tx) -> Result<u64, StoreError> {
    let now = tx.store().clock().now();
    let sessions = web_session::Entity::delete_many()
        .filter(web_session::Column::ExpiresAt.lte(now))
        .exec(tx.db())
        .await?;
    let links = sign_in_link::Entity::delete_many()
        .filter(sign_in_link::Column::ExpiresAt.lte(now))
        .exec(tx.db())
        .await?;
    Ok(sessions.rows_affected + links.rows_affected)
}
