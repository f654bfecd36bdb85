//! Accounts and the states that people see.
//!
//! A state is changed by compare-and-set, in the transaction of the service that observed the fact: a fact that was
//! decided on an older credential, or that the state has outgrown, changes nothing.

use postroom_events::{
    AccountId, AccountState, AccountStateChanged, CredentialId, EventMetadata, GrantId, SendCondition,
    TenantId, WhoCanAct,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany,
    sea_query::{Expr, ExprTrait, LockType},
};

use crate::{
    Account, StoreError, Tx,
    entities::{account, account_lease, credential},
    events,
};

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// `implicit` or `starttls`.
    pub tls: String,
}

/// An account that is to be kept: with the proved way in, or, while an administrator has not approved, without one (`()`).
#[derive(Debug, Clone)]
pub struct NewAccount<C = CredentialId> {
    /// Its id, chosen by the caller, so that other rows can name it first.
    pub id: AccountId,
    /// The CRM it belongs to.
    pub tenant_id: TenantId,
    /// The CRM's id of the person it belongs to.
    pub user_ref: String,
    /// The mailbox's address; also the From address.
    pub address: String,
    /// Name shown beside the address in outgoing mail.
    pub sender_name: String,
    /// Id of the provider in the provider data; `custom` where it is none of them.
    pub provider_id: String,
    /// Where mail is fetched.
    pub imap: ServerAddress,
    /// Where mail is sent.
    pub smtp: ServerAddress,
    /// The name to sign in with.
    pub login: String,
    /// The mailbox to open, where it is not the login's own (a shared mailbox).
    pub mailbox: Option<String>,
    /// The proved way in.
    pub credential_id: C,
}

/// Keeps a new account, in state `syncing`, with a lease that nobody holds yet.
///
/// # Errors
/// [`StoreError::AlreadyExists`] when this person has connected this address already.
pub async fn create(tx: &Tx, new: NewAccount) -> Result<Account, StoreError> {
    let credential_id = new.credential_id;
    let row = Account {
        credential_id: Some(credential_id),
        credential_generation: 1,
        ..row_of(tx, new)
    };
    insert(tx, row).await
}

/// Keeps a new account that waits for an administrator's approval. Nobody looks after it: it has no credential yet.
///
/// # Errors
/// As [`create`].
pub async fn create_awaiting_admin(tx: &Tx, new: NewAccount<()>, cause: &str) -> Result<Account, StoreError> {
    let row = Account {
        state: AccountState::AwaitingAdmin,
        state_cause: Some(cause.to_owned()),
        state_who_can_act: WhoCanAct::Administrator,
        ..row_of(tx, new)
    };
    insert(tx, row).await
}

fn row_of<C>(tx: &Tx, new: NewAccount<C>) -> Account {
    let now = tx.store().clock().now();
    Account {
        id: new.id,
        tenant_id: new.tenant_id,
        user_ref: new.user_ref,
        address: new.address,
        sender_name: new.sender_name,
        signature: String::new(),
        provider_id: new.provider_id,
        imap_host: new.imap.host,
        imap_port: new.imap.port.into(),
        imap_tls: new.imap.tls,
        smtp_host: new.smtp.host,
        smtp_port: new.smtp.port.into(),
        smtp_tls: new.smtp.tls,
        login: new.login,
        mailbox: new.mailbox,
        credential_id: None,
        credential_generation: 0,
        state: AccountState::Syncing,
        state_cause: None,
        state_who_can_act: WhoCanAct::Nobody,
        state_changed_at: now,
        send_condition: SendCondition::Ok,
        send_cause: None,
        paused: false,
        resumes_to: None,
        resumes_cause: None,
        resumes_who_can_act: None,
        messages_total: 0,
        messages_done: 0,
        backfilled_at: None,
        last_success_at: None,
        created_at: now,
        disconnected_at: None,
        purge_requested_at: None,
    }
}

async fn insert(tx: &Tx, row: Account) -> Result<Account, StoreError> {
    account::Entity::insert(account::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.db())
        .await
        .map_err(|error| StoreError::on_duplicate(error, "connected account", "address"))?;
    let lease = account_lease::ActiveModel {
        account_id: Set(row.id),
        fencing: Set(0),
        ..Default::default()
    };
    account_lease::Entity::insert(lease)
        .exec_without_returning(tx.db())
        .await?;
    Ok(row)
}

/// An account, whoever it belongs to: for the services themselves, never for an id that came with a request.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(db: &impl ConnectionTrait, id: AccountId) -> Result<Account, StoreError> {
    account::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("account", id))
}

/// An account of a tenant; with a person named, of that person only.
///
/// # Errors
/// [`StoreError::NotFound`], also when it belongs to somebody else: who asks learns no more.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    user_ref: Option<&str>,
    id: AccountId,
) -> Result<Account, StoreError> {
    let mut query = account::Entity::find_by_id(id).filter(account::Column::TenantId.eq(tenant_id));
    if let Some(user_ref) = user_ref {
        query = query.filter(account::Column::UserRef.eq(user_ref));
    }
    query
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("account", id))
}

/// The accounts of a tenant, oldest first, without disconnected ones; with a person named, of that person only.
///
/// # Errors
/// When the database refuses.
pub async fn list_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    user_ref: Option<&str>,
    after: Option<AccountId>,
    limit: u64,
) -> Result<Vec<Account>, StoreError> {
    let mut query = account::Entity::find()
        .filter(account::Column::TenantId.eq(tenant_id))
        .filter(account::Column::DisconnectedAt.is_null());
    if let Some(user_ref) = user_ref {
        query = query.filter(account::Column::UserRef.eq(user_ref));
    }
    if let Some(after) = after {
        query = query.filter(account::Column::Id.gt(after));
    }
    Ok(query
        .order_by_asc(account::Column::Id)
        .limit(limit.clamp(1, 1000))
        .all(db)
        .await?)
}

/// The connected accounts that sign in with a grant.
///
/// # Errors
/// When the database refuses.
pub async fn of_grant(db: &impl ConnectionTrait, grant_id: GrantId) -> Result<Vec<Account>, StoreError> {
    let credentials = credential::Entity::find()
        .select_only()
        .column(credential::Column::Id)
        .filter(credential::Column::GrantId.eq(grant_id));
    Ok(account::Entity::find()
        .filter(account::Column::CredentialId.in_subquery(sea_orm::QueryTrait::into_query(credentials)))
        .filter(account::Column::DisconnectedAt.is_null())
        .order_by_asc(account::Column::Id)
        .all(db)
        .await?)
}

/// A change of state that somebody observed.
#[derive(Debug, Clone)]
pub struct StateChange<'a> {
    /// The account.
    pub account_id: AccountId,
    /// The credential generation that it was observed on. `None` where it has nothing to do with the credential.
    pub credential_generation: Option<i64>,
    /// The states that it may be changed from.
    pub from: &'a [AccountState],
    /// The new state.
    pub to: AccountState,
    /// Stable snake_case code of the cause.
    pub cause: Option<&'a str>,
    /// Who can end it.
    pub who_can_act: WhoCanAct,
}

/// Changes the state by compare-and-set, and appends `AccountStateChanged`. Gives whether it was changed: not when the
/// row has outgrown the observation, nor when it says the same already.
///
/// An observation that does not name [`AccountState::Paused`] among the states it may change from is one of the mailbox. While
/// the account is paused, it changes what the account comes back to, and people see no change.
///
/// # Errors
/// When the database refuses.
pub async fn change_state(
    tx: &Tx,
    metadata: &EventMetadata,
    change: StateChange<'_>,
) -> Result<bool, StoreError> {
    use account::Column;
    // Locked, so that of two observers that come at once the second one sees what the first one made of it.
    let Some(before) = account::Entity::find_by_id(change.account_id)
        .lock(LockType::NoKeyUpdate)
        .one(tx.db())
        .await?
    else {
        return Ok(false);
    };
    let behind_the_pause =
        before.state == AccountState::Paused && !change.from.contains(&AccountState::Paused);
    let (state, cause) = match before.resumes_to {
        Some(state) if behind_the_pause => (state, &before.resumes_cause),
        _ => (before.state, &before.state_cause),
    };
    let outgrown = change
        .credential_generation
        .is_some_and(|generation| generation != before.credential_generation)
        || !change.from.contains(&state);
    let same = state == change.to && cause.as_deref() == change.cause;
    if outgrown || same {
        return Ok(false);
    }
    let observed = (change.to, change.cause.map(str::to_owned), change.who_can_act);
    if behind_the_pause {
        resuming_to(change.account_id, Some(observed))
            .exec(tx.db())
            .await?;
        return Ok(true);
    }
    let kept = (change.to == AccountState::Paused).then_some((
        before.state,
        before.state_cause,
        before.state_who_can_act,
    ));
    resuming_to(change.account_id, kept)
        .col_expr(Column::State, Expr::value(observed.0))
        .col_expr(Column::StateCause, Expr::value(observed.1))
        .col_expr(Column::StateWhoCanAct, Expr::value(observed.2))
        .col_expr(Column::StateChangedAt, Expr::value(tx.store().clock().now()))
        .exec(tx.db())
        .await?;
    let event = AccountStateChanged {
        account_id: change.account_id,
        from: before.state,
        to: change.to,
        cause: change.cause.map(str::to_owned),
        who_can_act: change.who_can_act,
    };
    events::append(tx, metadata, vec![event.into()]).await?;
    Ok(true)
}

/// The update that notes what a paused account comes back to: state, cause, who can end it. `None` where it is not paused.
fn resuming_to(
    id: AccountId,
    behind: Option<(AccountState, Option<String>, WhoCanAct)>,
) -> UpdateMany<account::Entity> {
    use account::Column;
    let (state, cause, who) = match behind {
        Some((state, cause, who)) => (Some(state), cause, Some(who)),
        None => (None, None, None),
    };
    account::Entity::update_many()
        .col_expr(Column::ResumesTo, Expr::value(state))
        .col_expr(Column::ResumesCause, Expr::value(cause))
        .col_expr(Column::ResumesWhoCanAct, Expr::value(who))
        .filter(Column::Id.eq(id))
}

/// Points an account at another credential: the next credential generation. Gives the new generation.
///
/// # Errors
/// [`StoreError::Outdated`] when the generation is not the expected one any more.
pub async fn set_credential(
    tx: &Tx,
    id: AccountId,
    expected_generation: i64,
    credential_id: CredentialId,
) -> Result<i64, StoreError> {
    let updated = account::Entity::update_many()
        .col_expr(account::Column::CredentialId, Expr::value(credential_id))
        .col_expr(
            account::Column::CredentialGeneration,
            Expr::value(expected_generation + 1),
        )
        .filter(account::Column::Id.eq(id))
        .filter(account::Column::CredentialGeneration.eq(expected_generation))
        .filter(account::Column::DisconnectedAt.is_null())
        .exec(tx.db())
        .await?;
    if updated.rows_affected != 1 {
        return Err(StoreError::outdated("account", id));
    }
    Ok(expected_generation + 1)
}

/// Notes whether an account can send. Gives whether that changed.
///
/// # Errors
/// When the database refuses.
pub async fn set_send_condition(
    tx: &Tx,
    id: AccountId,
    generation: i64,
    condition: SendCondition,
    cause: Option<&str>,
) -> Result<bool, StoreError> {
    let updated = account::Entity::update_many()
        .col_expr(account::Column::SendCondition, Expr::value(condition))
        .col_expr(account::Column::SendCause, Expr::value(cause.map(str::to_owned)))
        .filter(account::Column::Id.eq(id))
        .filter(account::Column::CredentialGeneration.eq(generation))
        .filter(account::Column::SendCondition.ne(condition))
        .exec(tx.db())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Pauses or resumes. The state that people see is changed apart, by [`change_state`].
///
/// # Errors
/// [`StoreError::NotFound`] when the account is disconnected or gone.
pub async fn set_paused(tx: &Tx, id: AccountId, paused: bool) -> Result<(), StoreError> {
    let updated = account::Entity::update_many()
        .col_expr(account::Column::Paused, Expr::value(paused))
        .filter(account::Column::Id.eq(id))
        .filter(account::Column::DisconnectedAt.is_null())
        .exec(tx.db())
        .await?;
    if updated.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::not_found("account", id))
    }
}

/// Marks an account as disconnected, and its mail as to be erased if `purge`. The next credential generation begins, so
/// that nothing decided before touches it any more.
///
/// # Errors
/// [`StoreError::NotFound`] when it is disconnected already or gone.
pub async fn set_disconnected(tx: &Tx, id: AccountId, purge: bool) -> Result<(), StoreError> {
    let now = tx.store().clock().now();
    let mut update = account::Entity::update_many()
        .col_expr(account::Column::DisconnectedAt, Expr::value(now))
        .col_expr(
            account::Column::CredentialGeneration,
            Expr::col(account::Column::CredentialGeneration).add(1),
        )
        .filter(account::Column::Id.eq(id))
        .filter(account::Column::DisconnectedAt.is_null());
    if purge {
        update = update.col_expr(account::Column::PurgeRequestedAt, Expr::value(now));
    }
    if update.exec(tx.db()).await?.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::not_found("account", id))
    }
}

/// Notes how far the first sync has come.
///
/// # Errors
/// When the database refuses.
pub async fn set_progress(
    tx: &Tx,
    id: AccountId,
    done: i64,
    total: i64,
    completed: bool,
) -> Result<(), StoreError> {
    let mut update = account::Entity::update_many()
        .col_expr(account::Column::MessagesDone, Expr::value(done))
        .col_expr(account::Column::MessagesTotal, Expr::value(total))
        .filter(account::Column::Id.eq(id));
    if completed {
        update = update.col_expr(
            account::Column::BackfilledAt,
            Expr::value(tx.store().clock().now()),
        );
    }
    update.exec(tx.db()).await?;
    Ok(())
}

/// Notes that these accounts were looked after successfully just now.
///
/// # Errors
/// When the database refuses.
pub async fn mark_success(tx: &Tx, ids: &[AccountId]) -> Result<(), StoreError> {
    account::Entity::update_many()
        .col_expr(
            account::Column::LastSuccessAt,
            Expr::value(tx.store().clock().now()),
        )
        .filter(account::Column::Id.is_in(ids.iter().copied()))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// The connected account of a person with that address.
///
/// # Errors
/// When the database refuses.
pub async fn find_by_address(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    user_ref: &str,
    address: &str,
) -> Result<Option<Account>, StoreError> {
    Ok(account::Entity::find()
        .filter(account::Column::TenantId.eq(tenant_id))
        .filter(account::Column::UserRef.eq(user_ref))
        .filter(account::Column::Address.eq(address))
        .filter(account::Column::DisconnectedAt.is_null())
        .one(db)
        .await?)
}

/// Notes where an account's servers are and under which name it signs in there, as they were proved.
///
/// # Errors
/// When the database refuses.
pub async fn set_servers(
    tx: &Tx,
    id: AccountId,
    imap: &ServerAddress,
    smtp: &ServerAddress,
    login: &str,
    provider_id: &str,
) -> Result<(), StoreError> {
    use account::Column;
    account::Entity::update_many()
        .col_expr(Column::ImapHost, Expr::value(imap.host.clone()))
        .col_expr(Column::ImapPort, Expr::value(i32::from(imap.port)))
        .col_expr(Column::ImapTls, Expr::value(imap.tls.clone()))
        .col_expr(Column::SmtpHost, Expr::value(smtp.host.clone()))
        .col_expr(Column::SmtpPort, Expr::value(i32::from(smtp.port)))
        .col_expr(Column::SmtpTls, Expr::value(smtp.tls.clone()))
        .col_expr(Column::Login, Expr::value(login.to_owned()))
        .col_expr(Column::ProviderId, Expr::value(provider_id.to_owned()))
        .filter(Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Notes how a person presents themselves in their mail: the name beside the address, and the text below.
///
/// # Errors
/// [`StoreError::NotFound`] when the account is disconnected or gone.
pub async fn set_presentation(
    tx: &Tx,
    id: AccountId,
    sender_name: &str,
    signature: &str,
) -> Result<(), StoreError> {
    use account::Column;
    let updated = account::Entity::update_many()
        .col_expr(Column::SenderName, Expr::value(sender_name.to_owned()))
        .col_expr(Column::Signature, Expr::value(signature.to_owned()))
        .filter(Column::Id.eq(id))
        .filter(Column::DisconnectedAt.is_null())
        .exec(tx.db())
        .await?;
    if updated.rows_affected == 1 {
        Ok(())
    } else {
        Err(StoreError::not_found("account", id))
    }
}
