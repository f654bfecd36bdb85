//! Keeping a proved account: credential, account, state and events in one transaction.

use postroom_crypto::KeyRing;
use postroom_events::{
    AccountConnected, AccountId, AccountState, AccountStateChanged, AuthenticationMethod,
    AuthenticationMethodChanged, CredentialId, Event, EventMetadata, GrantId, GrantState, SendBlocked,
    SendCondition, SendUnblocked, TokenRefreshed, WhoCanAct,
};
use postroom_store::{
    Account, Grant, Store, StoreError, Tx,
    accounts::{self, NewAccount, StateChange},
    admin_approvals, credentials, events,
    grants::{self, NewGrant, NewTokens},
};
use secrecy::SecretString;

use super::{
    Proof,
    draft::{self, ConnectDraft},
};

/// A way in that was proved a moment ago.
#[derive(Debug)]
pub(crate) enum ProvedSecret {
    Password(SecretString),
    /// What a person has permitted.
    Grant(NewGrant),
    /// A token that was obtained without a person: accounts of the same subject share the grant.
    ObtainedTokens(NewGrant),
    /// A living grant that is shared.
    SharedGrant(GrantId),
}

/// Keeps a new account.
pub(crate) async fn keep_new(
    store: &Store,
    keys: &KeyRing,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    secret: ProvedSecret,
    proof: &Proof,
) -> Result<Account, StoreError> {
    let tenant_id = metadata.tenant_id;
    let tx = store.begin("account.connect").await?;
    let (credential_id, grant_id) = add_credential(&tx, keys, metadata, draft.method, secret).await?;
    let account = accounts::create(
        &tx,
        NewAccount {
            id: AccountId::generate(),
            tenant_id,
            user_ref: draft.user_ref.clone(),
            address: draft.address.clone(),
            sender_name: draft.sender_name.clone(),
            provider_id: draft.provider_id.clone(),
            imap: draft::stored(&draft.imap),
            smtp: draft::stored(&draft.smtp),
            login: draft.login.clone(),
            mailbox: draft.shared_mailbox(),
            credential_id,
        },
    )
    .await?;
    let mut events: Vec<Event> = vec![
        AccountConnected {
            account_id: account.id,
            credential_generation: account.credential_generation,
            grant_id,
        }
        .into(),
        AccountStateChanged {
            account_id: account.id,
            from: AccountState::Connecting,
            to: account.state,
            cause: None,
            who_can_act: WhoCanAct::Nobody,
        }
        .into(),
    ];
    events.extend(note_sending(&tx, &account, account.credential_generation, proof).await?);
    events::append(&tx, metadata, events).await?;
    let account = accounts::find(tx.db(), account.id).await?;
    tx.commit().await?;
    Ok(account)
}

/// Gives an existing account a proved way in. Id, mail and sync state stay. The same grant gets its new tokens;
/// anything else becomes the next credential generation, and the old credential is erased by token-refresher once
/// nothing uses it.
pub(crate) async fn keep_again(
    store: &Store,
    keys: &KeyRing,
    metadata: &EventMetadata,
    account: &Account,
    draft: &ConnectDraft,
    secret: ProvedSecret,
    proof: &Proof,
) -> Result<Account, StoreError> {
    let tx = store.begin("account.connect_again").await?;
    // What was read before the proof may be old by now.
    let current = accounts::find(tx.db(), account.id).await?;
    if current.disconnected_at.is_some() {
        return Err(StoreError::not_found("account", account.id));
    }
    accounts::set_servers(
        &tx,
        account.id,
        &draft::stored(&draft.imap),
        &draft::stored(&draft.smtp),
        &draft.login,
        &draft.provider_id,
    )
    .await?;
    let generation = match (same_grant(&tx, &current, &secret).await?, secret) {
        (Some(_), ProvedSecret::SharedGrant(_)) => current.credential_generation,
        (Some(grant), ProvedSecret::Grant(new) | ProvedSecret::ObtainedTokens(new)) => {
            renew_grant(&tx, keys, metadata, &grant, &new).await?;
            current.credential_generation
        }
        (_, secret) => change_credential(&tx, keys, metadata, &current, draft.method, secret).await?,
    };
    let sending = note_sending(&tx, &current, generation, proof).await?;
    events::append(&tx, metadata, sending.into_iter().collect()).await?;
    reconnected(&tx, metadata, &current).await?;
    admin_approvals::settle(&tx, account.id).await?;
    let account = accounts::find(tx.db(), account.id).await?;
    tx.commit().await?;
    Ok(account)
}

async fn add_credential(
    tx: &Tx,
    keys: &KeyRing,
    metadata: &EventMetadata,
    method: AuthenticationMethod,
    secret: ProvedSecret,
) -> Result<(CredentialId, Option<GrantId>), StoreError> {
    let tenant_id = metadata.tenant_id;
    let grant_id = match secret {
        ProvedSecret::Password(password) => {
            let id = credentials::add_password(tx, keys, tenant_id, method, &password).await?;
            return Ok((id, None));
        }
        ProvedSecret::Grant(new) => grants::add(tx, keys, new).await?,
        ProvedSecret::ObtainedTokens(new) => share(tx, keys, metadata, new).await?,
        ProvedSecret::SharedGrant(id) => {
            // It may have been given back since the proof.
            if grants::find(tx.db(), tenant_id, id).await?.state == GrantState::Revoked {
                return Err(StoreError::outdated("grant", id));
            }
            id
        }
    };
    let id = credentials::add_grant(tx, tenant_id, grant_id).await?;
    Ok((id, Some(grant_id)))
}

/// The grant that obtained tokens belong to: the one that there is already, renewed by them, or a new one.
async fn share(
    tx: &Tx,
    keys: &KeyRing,
    metadata: &EventMetadata,
    new: NewGrant,
) -> Result<GrantId, StoreError> {
    match grants::find_shared(tx.db(), new.tenant_id, &new.provider_id, &new.subject).await? {
        Some(grant) => {
            renew_grant(tx, keys, metadata, &grant, &new).await?;
            Ok(grant.id)
        }
        None => grants::add(tx, keys, new).await,
    }
}

/// The account's own grant, if the new tokens are the same person's at the same provider and it was not revoked.
async fn same_grant(tx: &Tx, account: &Account, secret: &ProvedSecret) -> Result<Option<Grant>, StoreError> {
    let Some(credential_id) = account.credential_id else {
        return Ok(None);
    };
    let credential = credentials::find(tx.db(), account.tenant_id, credential_id).await?;
    let Some(grant_id) = credential.grant_id else {
        return Ok(None);
    };
    let grant = grants::find(tx.db(), account.tenant_id, grant_id).await?;
    let same = match secret {
        ProvedSecret::Password(_) => false,
        ProvedSecret::SharedGrant(id) => grant.id == *id,
        ProvedSecret::Grant(new) | ProvedSecret::ObtainedTokens(new) => {
            grant.provider_id == new.provider_id && grant.subject == new.subject
        }
    };
    Ok((same && grant.state != GrantState::Revoked).then_some(grant))
}

/// Stores new tokens in a grant, and starts every account again that signs in with it.
async fn renew_grant(
    tx: &Tx,
    keys: &KeyRing,
    metadata: &EventMetadata,
    grant: &Grant,
    new: &NewGrant,
) -> Result<(), StoreError> {
    let token_version = store_newest(tx, keys, grant, &new.tokens).await?;
    let mut events: Vec<Event> = vec![
        TokenRefreshed {
            grant_id: grant.id,
            token_version,
            expires_at: new.tokens.expires_at,
        }
        .into(),
    ];
    for account in accounts::of_grant(tx.db(), grant.id).await? {
        reconnected(tx, metadata, &account).await?;
        events.push(
            AccountConnected {
                account_id: account.id,
                credential_generation: account.credential_generation,
                grant_id: Some(grant.id),
            }
            .into(),
        );
    }
    events::append(tx, metadata, events).await?;
    Ok(())
}

/// A refresh may have stored tokens while the person signed in. Theirs are newer, and losing them would mean asking the
/// person again.
async fn store_newest(tx: &Tx, keys: &KeyRing, grant: &Grant, tokens: &NewTokens) -> Result<i64, StoreError> {
    match grants::store_tokens(tx, keys, grant, tokens).await {
        Err(StoreError::Outdated { .. }) => {
            let grant = grants::find(tx.db(), grant.tenant_id, grant.id).await?;
            grants::store_tokens(tx, keys, &grant, tokens).await
        }
        stored => stored,
    }
}

async fn change_credential(
    tx: &Tx,
    keys: &KeyRing,
    metadata: &EventMetadata,
    account: &Account,
    method: AuthenticationMethod,
    secret: ProvedSecret,
) -> Result<i64, StoreError> {
    let (credential_id, grant_id) = add_credential(tx, keys, metadata, method, secret).await?;
    let generation =
        accounts::set_credential(tx, account.id, account.credential_generation, credential_id).await?;
    let event: Event = match account.credential_id {
        // It has waited for an administrator until now.
        None => AccountConnected {
            account_id: account.id,
            credential_generation: generation,
            grant_id,
        }
        .into(),
        previous_credential_id => AuthenticationMethodChanged {
            account_id: account.id,
            credential_generation: generation,
            method,
            grant_id,
            previous_credential_id,
        }
        .into(),
    };
    events::append(tx, metadata, vec![event]).await?;
    Ok(generation)
}

/// The way in works again: the account leaves every state that a person had to end. A paused one stays paused.
async fn reconnected(tx: &Tx, metadata: &EventMetadata, account: &Account) -> Result<(), StoreError> {
    use AccountState::{AwaitingAdmin, Connecting, NeedsReauthorization, Unreachable};
    let to = match account.backfilled_at {
        Some(_) => AccountState::Connected,
        None => AccountState::Syncing,
    };
    let change = StateChange {
        account_id: account.id,
        credential_generation: None,
        from: &[Connecting, NeedsReauthorization, AwaitingAdmin, Unreachable],
        to,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    accounts::change_state(tx, metadata, change).await?;
    Ok(())
}

/// Notes whether the account can send, as the proof showed it; gives the event that tells of a change.
async fn note_sending(
    tx: &Tx,
    account: &Account,
    generation: i64,
    proof: &Proof,
) -> Result<Option<Event>, StoreError> {
    let (condition, cause) = match proof {
        Proof::Both => (SendCondition::Ok, None),
        Proof::ReceivesOnly { cause } => (SendCondition::Blocked, Some(*cause)),
    };
    if !accounts::set_send_condition(tx, account.id, generation, condition, cause).await? {
        return Ok(None);
    }
    let account_id = account.id;
    Ok(Some(match cause {
        None => SendUnblocked {
            account_id,
            credential_generation: generation,
        }
        .into(),
        Some(cause) => SendBlocked {
            account_id,
            credential_generation: generation,
            cause: cause.to_owned(),
            who_can_act: WhoCanAct::Administrator,
        }
        .into(),
    }))
}
