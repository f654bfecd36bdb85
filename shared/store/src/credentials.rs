//! How an account signs in: a sealed password, or a grant.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use postroom_crypto::{KeyRing, SealContext, SealedSecret};
use postroom_events::{AuthenticationMethod, CredentialId, GrantId, GrantState, TenantId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr,
};
use secrecy::SecretString;

use crate::{
    Account, Credential, StoreError, Tx,
    entities::{account, credential},
    grants,
};

/// What a worker needs to sign in to an account.
#[derive(Debug)]
pub enum SignInMaterial {
    /// A password or an app password.
    Password {
        /// The secret.
        password: SecretString,
    },
    /// An access token.
    AccessToken {
        /// The token.
        access_token: SecretString,
        /// The grant that it comes from.
        grant_id: GrantId,
        /// The grant's token version: a refusal names it, so that an older token's refusal changes nothing.
        token_version: i64,
        /// When it ends, if the provider said.
        expires_at: Option<DateTime<Utc>>,
    },
    /// There is nothing to sign in with: the grant needs the person, or the secret was erased.
    Nothing {
        /// Stable snake_case code of the cause.
        cause: String,
    },
}

fn place(tenant_id: TenantId, id: CredentialId) -> SealContext {
    SealContext {
        tenant: tenant_id.0,
        table: "credentials",
        column: "sealed_password",
        row: id.0,
    }
}

/// Keeps a password, sealed.
///
/// # Errors
/// When it cannot be sealed, or the database refuses.
pub async fn add_password(
    tx: &Tx,
    keys: &KeyRing,
    tenant_id: TenantId,
    method: AuthenticationMethod,
    password: &SecretString,
) -> Result<CredentialId, StoreError> {
    let id = CredentialId::generate();
    let sealed = keys.seal(&place(tenant_id, id), password)?;
    insert(tx, id, tenant_id, method, Some(sealed.into_bytes()), None).await
}

/// Keeps a reference to a grant.
///
/// # Errors
/// When the database refuses.
pub async fn add_grant(tx: &Tx, tenant_id: TenantId, grant_id: GrantId) -> Result<CredentialId, StoreError> {
    insert(
        tx,
        CredentialId::generate(),
        tenant_id,
        AuthenticationMethod::OAuth2,
        None,
        Some(grant_id),
    )
    .await
}

async fn insert(
    tx: &Tx,
    id: CredentialId,
    tenant_id: TenantId,
    method: AuthenticationMethod,
    sealed_password: Option<Vec<u8>>,
    grant_id: Option<GrantId>,
) -> Result<CredentialId, StoreError> {
    let row = credential::ActiveModel {
        id: Set(id),
        tenant_id: Set(tenant_id),
        method: Set(method),
        sealed_password: Set(sealed_password),
        grant_id: Set(grant_id),
        created_at: Set(tx.store().clock().now()),
        erased_at: Set(None),
    };
    credential::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    Ok(id)
}

/// A credential of a tenant.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    id: CredentialId,
) -> Result<Credential, StoreError> {
    credential::Entity::find_by_id(id)
        .filter(credential::Column::TenantId.eq(tenant_id))
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("credential", id))
}

/// What is needed to sign in to an account now.
///
/// # Errors
/// When the secret cannot be opened, or the database refuses.
pub async fn load(
    db: &impl ConnectionTrait,
    keys: &KeyRing,
    account: &Account,
) -> Result<SignInMaterial, StoreError> {
    let Some(credential_id) = account.credential_id else {
        return Ok(SignInMaterial::Nothing {
            cause: "no_credential".into(),
        });
    };
    let credential = find(db, account.tenant_id, credential_id).await?;
    if let Some(grant_id) = credential.grant_id {
        return load_grant(db, keys, account.tenant_id, grant_id).await;
    }
    match credential.sealed_password {
        Some(sealed) => {
            let password = keys.open(
                &place(account.tenant_id, credential.id),
                &SealedSecret::from_bytes(sealed),
            )?;
            Ok(SignInMaterial::Password { password })
        }
        None => Ok(SignInMaterial::Nothing {
            cause: "credential_erased".into(),
        }),
    }
}

async fn load_grant(
    db: &impl ConnectionTrait,
    keys: &KeyRing,
    tenant_id: TenantId,
    grant_id: GrantId,
) -> Result<SignInMaterial, StoreError> {
    let grant = grants::find(db, tenant_id, grant_id).await?;
    if grant.state != GrantState::Active {
        let cause = grant.state_cause.unwrap_or_else(|| grant.state.to_string());
        return Ok(SignInMaterial::Nothing { cause });
    }
    match grants::open_access_token(keys, &grant)? {
        Some(access_token) => Ok(SignInMaterial::AccessToken {
            access_token,
            grant_id,
            token_version: grant.token_version,
            expires_at: grant.access_expires_at,
        }),
        None => Ok(SignInMaterial::Nothing {
            cause: "no_access_token".into(),
        }),
    }
}

/// Erases the secret of a credential. The row stays, so that what was done with it can still be told.
///
/// # Errors
/// When the database refuses.
pub async fn erase(tx: &Tx, id: CredentialId) -> Result<(), StoreError> {
    credential::Entity::update_many()
        .col_expr(
            credential::Column::SealedPassword,
            Expr::value(Option::<Vec<u8>>::None),
        )
        .col_expr(
            credential::Column::ErasedAt,
            Expr::value(tx.store().clock().now()),
        )
        .filter(credential::Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Whether a connected account signs in with a credential.
///
/// # Errors
/// When the database refuses.
pub async fn is_used(db: &impl ConnectionTrait, id: CredentialId) -> Result<bool, StoreError> {
    let user = account::Entity::find()
        .filter(account::Column::CredentialId.eq(id))
        .filter(account::Column::DisconnectedAt.is_null())
        .one(db)
        .await?;
    Ok(user.is_some())
}

/// How each of these credentials signs in.
///
/// # Errors
/// When the database refuses.
pub async fn methods(
    db: &impl ConnectionTrait,
    ids: &[CredentialId],
) -> Result<HashMap<CredentialId, AuthenticationMethod>, StoreError> {
    let rows: Vec<(CredentialId, AuthenticationMethod)> = credential::Entity::find()
        .select_only()
        .column(credential::Column::Id)
        .column(credential::Column::Method)
        .filter(credential::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}
