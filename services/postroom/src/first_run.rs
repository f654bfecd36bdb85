//! What a person who has just started Postroom needs: the address to open, and on the first run an API key.

use std::{io::Write, os::unix::fs::OpenOptionsExt};

use anyhow::Context;
use postroom_crypto::new_token;
use postroom_events::TenantId;
use postroom_runtime::Parts;
use postroom_store::tenants;
use secrecy::{ExposeSecret, SecretString};

/// The person that the link printed at start signs in.
const FIRST_USER: &str = "owner";

/// Makes the first tenant and its API key if there is none yet, and prints a one-time link into the pages.
pub(crate) async fn welcome(parts: &Parts) -> anyhow::Result<()> {
    let tenant_id = match tenants::all(parts.store.read()).await?.first() {
        Some(tenant) => tenant.id,
        None => first_tenant(parts).await?,
    };
    let state = account_manager::state_of(parts)?;
    let link =
        account_manager::make_sign_in_link(&parts.store, state.settings(), tenant_id, FIRST_USER, None)
            .await?;
    crate::say(&format!("Open Postroom: {}", link.url().expose_secret()));
    crate::say("The link signs one browser in, once, within the hour. Start Postroom again for another one.");
    Ok(())
}

async fn first_tenant(parts: &Parts) -> anyhow::Result<TenantId> {
    let (key, digest) = new_token("postroom_key")?;
    let tx = parts.store.begin("first_run.tenant").await?;
    let tenant = tenants::create(&tx, "First tenant").await?;
    tenants::add_api_key(&tx, tenant.id, "first key", digest).await?;
    keep_key(parts, &key)?;
    tx.commit().await?;
    crate::say(&format!("API key (shown this once): {}", key.expose_secret()));
    Ok(tenant.id)
}

/// Keeps the key where only the owner can read it, for commands on this machine.
fn keep_key(parts: &Parts, key: &SecretString) -> anyhow::Result<()> {
    let path = parts.settings.data_dir.join("api.key");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(key.expose_secret().as_bytes())?;
    file.sync_all()
        .with_context(|| format!("cannot write {}", path.display()))
}
