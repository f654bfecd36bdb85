//! Connecting with a password or an app password.

use postroom_events::EventMetadata;
use postroom_store::{Account, ConnectionTrait, StoreError, accounts};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Proof, ProvedSecret, Secret, draft::ConnectDraft, fields::check_password, keep_again, keep_new, prove,
};
use crate::{http::problem::Problem, state::AppState};

/// Proves the password and keeps a new account. Nothing is kept when anything fails.
pub(crate) async fn connect(
    state: &AppState,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    password: SecretString,
) -> Result<Account, Problem> {
    check_password(password.expose_secret()).map_err(|problem| Problem::fields(vec![problem]))?;
    refuse_known(state, metadata, draft).await?;
    let proof = prove(state, metadata.tenant_id, draft, Secret::Password(&password)).await?;
    keep_first(state, metadata, draft, ProvedSecret::Password(password), &proof).await
}

/// Keeps a new account; where somebody else was quicker, theirs is named.
pub(super) async fn keep_first(
    state: &AppState,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    secret: ProvedSecret,
    proof: &Proof,
) -> Result<Account, Problem> {
    match keep_new(state.store(), state.keys(), metadata, draft, secret, proof).await {
        Err(StoreError::AlreadyExists { .. }) => {
            // Read in a transaction: it sees what is being committed along with it.
            let tx = state.store().begin("account.known").await?;
            let known = find_known(tx.db(), metadata, draft).await;
            tx.commit().await?;
            known?;
            Err(Problem::internal())
        }
        kept => Ok(kept?),
    }
}

/// Proves a new password and gives it to an account that exists.
pub(crate) async fn connect_again(
    state: &AppState,
    metadata: &EventMetadata,
    account: &Account,
    draft: &ConnectDraft,
    password: SecretString,
) -> Result<Account, Problem> {
    check_password(password.expose_secret()).map_err(|problem| Problem::fields(vec![problem]))?;
    let proof = prove(state, metadata.tenant_id, draft, Secret::Password(&password)).await?;
    let secret = ProvedSecret::Password(password);
    Ok(keep_again(
        state.store(),
        state.keys(),
        metadata,
        account,
        draft,
        secret,
        &proof,
    )
    .await?)
}

/// An address that this person has connected already is answered with its account, before anything is proved.
pub(crate) async fn refuse_known(
    state: &AppState,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
) -> Result<(), Problem> {
    find_known(state.store().read(), metadata, draft).await
}

async fn find_known(
    db: &impl ConnectionTrait,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
) -> Result<(), Problem> {
    let known = accounts::find_by_address(db, metadata.tenant_id, &draft.user_ref, &draft.address).await?;
    let Some(account) = known else { return Ok(()) };
    let detail = "This address is connected already. Open that account to connect it again or to change how it signs in.";
    Err(Problem::conflict("account_exists", detail)
        .at("address")
        .with("account_id", account.id.to_string()))
}
