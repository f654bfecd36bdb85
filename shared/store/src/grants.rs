//! Grants: tokens at rest. When they are refreshed, and by whom, is in [`refreshes`](crate::refreshes).
//!
//! `token_version` rises with every change of tokens; what was decided on an older one changes nothing.

use chrono::{DateTime, Utc};
use postroom_crypto::{KeyRing, SealContext, SealedSecret};
use postroom_events::{EventId, GrantId, GrantState, TenantId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany, sea_query::Expr,
};
use secrecy::SecretString;

use crate::{Grant, StoreError, Tx, entities::grant, sql};

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

/// Whether a connected account, whoever's it is, signs in with a living grant of this person at this registration.
///
/// While one does, no other token of the person may be given back there: with it, a provider may end the permission that all
/// of them rest on (RFC 7009, section 2.1: "the revocation of a particular token may cause the revocation of related tokens
/// and the underlying authorization grant").
///
/// # Errors
/// When the database refuses.
pub async fn in_use_of_person(
    db: &impl ConnectionTrait,
    provider_id: &str,
    subject: &str,
) -> Result<bool, StoreError> {
    let text = "select 1 from grants join credentials on credentials.grant_id = grants.id \
                join accounts on accounts.credential_id = credentials.id \
                where grants.provider_id = $1 and grants.subject = $2 and grants.state = $3 \
                and accounts.disconnected_at is null limit 1";
    let values = [provider_id.into(), subject.into(), GrantState::Active.into()];
    let found = db.query_one_raw(sql::statement(db, text, values)).await?;
    Ok(found.is_some())
}

/// The living grant of a tenant that stands for `subject` at a registration, newest first: what accounts share where nobody
/// signs in at the provider.
///
/// # Errors
/// When the database refuses.
pub async fn find_shared(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    provider_id: &str,
    subject: &str,
) -> Result<Option<Grant>, StoreError> {
    Ok(grant::Entity::find()
        .filter(grant::Column::TenantId.eq(tenant_id))
        .filter(grant::Column::ProviderId.eq(provider_id))
        .filter(grant::Column::Subject.eq(subject))
        .filter(grant::Column::State.ne(GrantState::Revoked))
        .order_by_desc(grant::Column::Id)
        .one(db)
        .await?)
}

/// The tenants that have living grants at a registration.
///
/// # Errors
/// When the database refuses.
pub async fn tenants_at(db: &impl ConnectionTrait, provider_id: &str) -> Result<Vec<TenantId>, StoreError> {
    Ok(grant::Entity::find()
        .select_only()
        .column(grant::Column::TenantId)
        .distinct()
        .filter(grant::Column::ProviderId.eq(provider_id))
        .filter(grant::Column::State.ne(GrantState::Revoked))
        .into_tuple()
        .all(db)
        .await?)
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

/// Stores the tokens that a refresh, or a new sign-in of the person, brought. Gives the new token version.
///
/// # Errors
/// [`StoreError::Outdated`] when the tokens have changed since `before` was read, or the grant was revoked.
pub async fn store_tokens(
    tx: &Tx,
    keys: &KeyRing,
    before: &Grant,
    tokens: &NewTokens,
) -> Result<i64, StoreError> {
    let version = before.token_version + 1;
    let access = seal(keys, before.tenant_id, before.id, ACCESS, &tokens.access_token)?;
    let mut update = without_holder(grant::Entity::update_many())
        .col_expr(grant::Column::SealedAccessToken, Expr::value(access))
        .col_expr(grant::Column::AccessExpiresAt, Expr::value(tokens.expires_at))
        .col_expr(grant::Column::RefreshDueAt, Expr::value(tokens.refresh_due_at))
        .col_expr(grant::Column::TokenVersion, Expr::value(version))
        .col_expr(grant::Column::Scopes, Expr::value(tokens.scopes.clone()))
        .col_expr(grant::Column::State, Expr::value(GrantState::Active))
        .col_expr(grant::Column::StateCause, Expr::value(Option::<String>::None))
        .col_expr(grant::Column::RefreshFailures, Expr::value(0))
        .col_expr(
            grant::Column::RefreshUnansweredSince,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(grant::Column::UpdatedAt, Expr::value(tx.store().clock().now()))
        .filter(grant::Column::Id.eq(before.id))
        .filter(grant::Column::TokenVersion.eq(before.token_version))
        .filter(grant::Column::State.ne(GrantState::Revoked));
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

/// Ends a grant: it needs the person, or was revoked. Revoked ones forget their tokens. Gives whether it was changed: not
/// when the tokens have changed since `before` was read.
///
/// # Errors
/// When the database refuses.
pub async fn end(tx: &Tx, before: &Grant, state: GrantState, cause: &str) -> Result<bool, StoreError> {
    let mut update = ending(tx, before, state, cause);
    if state == GrantState::Revoked {
        let nothing = || Expr::value(Option::<Vec<u8>>::None);
        update = update
            .col_expr(grant::Column::SealedAccessToken, nothing())
            .col_expr(grant::Column::SealedRefreshToken, nothing());
    }
    Ok(update.exec(tx.db()).await?.rows_affected == 1)
}

/// The update that ends a grant, if its tokens are still those of `before`.
pub(crate) fn ending(tx: &Tx, before: &Grant, state: GrantState, cause: &str) -> UpdateMany<grant::Entity> {
    without_holder(grant::Entity::update_many())
        .col_expr(grant::Column::State, Expr::value(state))
        .col_expr(grant::Column::StateCause, Expr::value(cause.to_owned()))
        .col_expr(
            grant::Column::RefreshDueAt,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
        .col_expr(grant::Column::UpdatedAt, Expr::value(tx.store().clock().now()))
        .filter(grant::Column::Id.eq(before.id))
        .filter(grant::Column::TokenVersion.eq(before.token_version))
}

fn without_holder(update: UpdateMany<grant::Entity>) -> UpdateMany<grant::Entity> {
    update
        .col_expr(grant::Column::RefreshHolder, Expr::value(Option::<EventId>::None))
        .col_expr(
            grant::Column::RefreshHeldUntil,
            Expr::value(Option::<DateTime<Utc>>::None),
        )
}
