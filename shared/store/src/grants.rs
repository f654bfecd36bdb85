//! Grants: tokens at rest, and the one refresh at a time.
//!
//! `token_version` rises with every change of tokens. A refresh holds the grant, and stores what it got only if the
//! version is still the one it began with.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_crypto::{KeyRing, SealContext, SealedSecret};
use postroom_events::{GrantId, GrantState, TenantId, WorkerId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use secrecy::SecretString;

use crate::{Grant, Store, StoreError, Tx, entities::grant, sql};

/// Tokens that an identity provider gave.
#[derive(Debug)]
pub struct NewTokens {
    /// The access token.
    pub access_token: SecretString,
    /// When it ends, if the provider said.
    pub expires_at: Option<DateTime<Utc>>,
    /// The refresh token; `None` when the provider gave no new one, so that the old one stays.
    pub refresh_token: Option<SecretString>,
    /// The scopes that were granted, separated by spaces.
    pub scopes: String,
    /// When to refresh next, if ever.
    pub refresh_due_at: Option<DateTime<Utc>>,
}

/// A grant that is to be kept.
#[derive(Debug)]
pub struct NewGrant {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Id of the identity provider's registration.
    pub provider_id: String,
    /// The person, as the identity provider names them (`sub`).
    pub subject: String,
    /// The address that the identity provider says the person has.
    pub identity_address: Option<String>,
    /// The tokens.
    pub tokens: NewTokens,
}

fn place(tenant_id: TenantId, id: GrantId, column: &'static str) -> SealContext {
    SealContext {
        tenant: tenant_id.0,
        table: "grants",
        column,
        row: id.0,
    }
}

fn seal(
    keys: &KeyRing,
    tenant_id: TenantId,
    id: GrantId,
    column: &'static str,
    secret: &SecretString,
) -> Result<Vec<u8>, StoreError> {
    Ok(keys.seal(&place(tenant_id, id, column), secret)?.into_bytes())
}

/// Keeps a grant with its tokens, sealed.
///
/// # Errors
/// When they cannot be sealed, or the database refuses.
pub async fn add(tx: &Tx, keys: &KeyRing, new: NewGrant) -> Result<GrantId, StoreError> {
    let id = GrantId::generate();
    let now = tx.store().clock().now();
    let refresh = new.tokens.refresh_token.as_ref();
    let row = grant::ActiveModel {
        id: Set(id),
        tenant_id: Set(new.tenant_id),
        provider_id: Set(new.provider_id),
        subject: Set(new.subject),
        identity_address: Set(new.identity_address),
        scopes: Set(new.tokens.scopes),
        state: Set(GrantState::Active),
        sealed_refresh_token: Set(refresh
            .map(|token| seal(keys, new.tenant_id, id, REFRESH, token))
            .transpose()?),
        sealed_access_token: Set(Some(seal(
            keys,
            new.tenant_id,
            id,
            ACCESS,
            &new.tokens.access_token,
        )?)),
        access_expires_at: Set(new.tokens.expires_at),
        token_version: Set(1),
        refresh_due_at: Set(new.tokens.refresh_due_at),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    grant::Entity::insert(row).exec_without_returning(tx.db()).await?;
    Ok(id)
}

const REFRESH: &str = "sealed_refresh_token";
const ACCESS: &str = "sealed_access_token";

/// A grant of a tenant.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(db: &impl ConnectionTrait, tenant_id: TenantId, id: GrantId) -> Result<Grant, StoreError> {
    grant::Entity::find_by_id(id)
        .filter(grant::Column::TenantId.eq(tenant_id))
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("grant", id))
}

/// The access token of a grant, if it has one.
///
/// # Errors
/// When it cannot be opened.
pub fn open_access_token(keys: &KeyRing, grant: &Grant) -> Result<Option<SecretString>, StoreError> {
    open(keys, grant, ACCESS, grant.sealed_access_token.as_deref())
}

/// The refresh token of a grant, if it has one.
///
/// # Errors
/// When it cannot be opened.
pub fn open_refresh_token(keys: &KeyRing, grant: &Grant) -> Result<Option<SecretString>, StoreError> {
    open(keys, grant, REFRESH, grant.sealed_refresh_token.as_deref())
}

fn open(
    keys: &KeyRing,
    grant: &Grant,
    column: &'static str,
    sealed: Option<&[u8]>,
) -> Result<Option<SecretString>, StoreError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let context = place(grant.tenant_id, grant.id, column);
    Ok(Some(
        keys.open(&context, &SealedSecret::from_bytes(sealed.to_vec()))?,
    ))
}

/// Grants whose refresh is due and has not been announced for their token version, soonest first; marks them as
/// announced. With the events of the same transaction, each is announced once per version.
///
/// # Errors
/// When the database refuses.
pub async fn take_due(tx: &Tx, limit: u64) -> Result<Vec<Grant>, StoreError> {
    let now = tx.store().now(tx.db()).await?;
    let text = format!(
        "update grants set announced_token_version = token_version where id in (select id from grants \
         where refresh_due_at <= $1 and announced_token_version < token_version and state = $2 \
         order by refresh_due_at limit $3 {}) returning id",
        sql::skip_locked(tx.db())
    );
    let values = [now.into(), GrantState::Active.into(), (limit as i64).into()];
    let rows = tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?;
    let ids = rows
        .iter()
        .map(|row| row.try_get::<GrantId>("", "id"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(grant::Entity::find()
        .filter(grant::Column::Id.is_in(ids))
        .order_by_asc(grant::Column::RefreshDueAt)
        .all(tx.db())
        .await?)
}

/// When the next refresh is due, if one is.
///
/// # Errors
/// When the database refuses.
pub async fn next_due(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>, StoreError> {
    let due: Option<Option<DateTime<Utc>>> = grant::Entity::find()
        .filter(grant::Column::RefreshDueAt.is_not_null())
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(Expr::col(grant::Column::AnnouncedTokenVersion).lt(Expr::col(grant::Column::TokenVersion)))
        .order_by_asc(grant::Column::RefreshDueAt)
        .select_only()
        .column(grant::Column::RefreshDueAt)
        .into_tuple()
        .one(db)
        .await?;
    Ok(due.flatten())
}

/// How holding a grant for its refresh ended.
#[derive(Debug)]
pub enum Hold {
    /// It is held: refresh it before the time is over.
    Held(Box<Grant>),
    /// Somebody refreshes it at the moment, until then at most.
    Busy(DateTime<Utc>),
    /// Its tokens are newer than the version that was named: nothing is to be done.
    MovedOn,
    /// It is not active (any more), or gone.
    NotActive,
}

/// Holds an active grant for one refresh, if its tokens are still of that version.
///
/// # Errors
/// When the database refuses.
pub async fn hold(
    store: &Store,
    id: GrantId,
    token_version: i64,
    worker: WorkerId,
    time: Duration,
) -> Result<Hold, StoreError> {
    let tx = store.begin("grants.hold").await?;
    let now = store.now(tx.db()).await?;
    let free = grant::Column::RefreshHeldUntil
        .is_null()
        .or(grant::Column::RefreshHeldUntil.lt(now));
    let taken = grant::Entity::update_many()
        .col_expr(grant::Column::RefreshHolder, Expr::value(worker))
        .col_expr(grant::Column::RefreshHeldUntil, Expr::value(now + time))
        .filter(grant::Column::Id.eq(id))
        .filter(grant::Column::TokenVersion.eq(token_version))
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(free)
        .exec(tx.db())
        .await?;
    let row = grant::Entity::find_by_id(id).one(tx.db()).await?;
    tx.commit().await?;
    Ok(match row {
        Some(row) if taken.rows_affected == 1 => Hold::Held(Box::new(row)),
        None => Hold::NotActive,
        Some(row) if row.state != GrantState::Active => Hold::NotActive,
        Some(row) if row.token_version != token_version => Hold::MovedOn,
        Some(row) => Hold::Busy(row.refresh_held_until.unwrap_or(now)),
    })
}

/// Lets a held grant go without a change, to be refreshed again at a later time.
///
/// # Errors
/// When the database refuses.
pub async fn let_go(tx: &Tx, held: &Grant) -> Result<(), StoreError> {
    grant::Entity::update_many()
        .col_expr(
            grant::Column::RefreshHolder,
            Expr::value(Option::<WorkerId>::None),
        )
        .col_expr(
            grant::Column::RefreshHeldUntil,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(
            grant::Column::RefreshFailures,
            Expr::col(grant::Column::RefreshFailures).add(1),
        )
        .filter(grant::Column::Id.eq(held.id))
        .filter(grant::Column::RefreshHolder.eq(held.refresh_holder))
        .filter(grant::Column::TokenVersion.eq(held.token_version))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Stores the tokens that a refresh, or a new sign-in of the person, brought. Gives the new token version.
///
/// # Errors
/// [`StoreError::Outdated`] when the tokens have changed since `before` was read.
pub async fn store_tokens(
    tx: &Tx,
    keys: &KeyRing,
    before: &Grant,
    tokens: &NewTokens,
) -> Result<i64, StoreError> {
    let version = before.token_version + 1;
    let access = seal(keys, before.tenant_id, before.id, ACCESS, &tokens.access_token)?;
    let mut update = grant::Entity::update_many()
        .col_expr(grant::Column::SealedAccessToken, Expr::value(access))
        .col_expr(grant::Column::AccessExpiresAt, Expr::value(tokens.expires_at))
        .col_expr(grant::Column::RefreshDueAt, Expr::value(tokens.refresh_due_at))
        .col_expr(grant::Column::TokenVersion, Expr::value(version))
        .col_expr(grant::Column::Scopes, Expr::value(tokens.scopes.clone()))
        .col_expr(grant::Column::State, Expr::value(GrantState::Active))
        .col_expr(grant::Column::StateCause, Expr::value(Option::<String>::None))
        .col_expr(grant::Column::RefreshFailures, Expr::value(0))
        .col_expr(
            grant::Column::RefreshHolder,
            Expr::value(Option::<WorkerId>::None),
        )
        .col_expr(
            grant::Column::RefreshHeldUntil,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(grant::Column::UpdatedAt, Expr::value(tx.store().clock().now()))
        .filter(grant::Column::Id.eq(before.id))
        .filter(grant::Column::TokenVersion.eq(before.token_version));
    if let Some(refresh_token) = &tokens.refresh_token {
        let refresh = seal(keys, before.tenant_id, before.id, REFRESH, refresh_token)?;
        update = update.col_expr(grant::Column::SealedRefreshToken, Expr::value(refresh));
    }
    if update.exec(tx.db()).await?.rows_affected == 1 {
        Ok(version)
    } else {
        Err(StoreError::outdated("grant", before.id))
    }
}

/// Ends a grant: it needs the person, or was revoked. Revoked ones forget their tokens. Gives whether it was changed.
///
/// # Errors
/// When the database refuses.
pub async fn end(tx: &Tx, before: &Grant, state: GrantState, cause: &str) -> Result<bool, StoreError> {
    let mut update = grant::Entity::update_many()
        .col_expr(grant::Column::State, Expr::value(state))
        .col_expr(grant::Column::StateCause, Expr::value(cause.to_owned()))
        .col_expr(
            grant::Column::RefreshDueAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(
            grant::Column::RefreshHolder,
            Expr::value(Option::<WorkerId>::None),
        )
        .col_expr(
            grant::Column::RefreshHeldUntil,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(grant::Column::UpdatedAt, Expr::value(tx.store().clock().now()))
        .filter(grant::Column::Id.eq(before.id))
        .filter(grant::Column::TokenVersion.eq(before.token_version));
    if state == GrantState::Revoked {
        update = update
            .col_expr(
                grant::Column::SealedAccessToken,
                Expr::value(Option::<Vec<u8>>::None),
            )
            .col_expr(
                grant::Column::SealedRefreshToken,
                Expr::value(Option::<Vec<u8>>::None),
            );
    }
    Ok(update.exec(tx.db()).await?.rows_affected == 1)
}
