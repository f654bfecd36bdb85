//! The tokens themselves, which only the sealed columns hold: opened with the stack's own keys, again and again, so that those
//! that were replaced are known, too.

use std::{collections::BTreeSet, sync::Arc};

use postroom_crypto::KeyRing;
use postroom_e2e::{Mode, Stack};
use postroom_events::AccountId;
use postroom_retry::SystemClock;
use postroom_store::{EventDelivery, Store, StoreConfig, StoreError, accounts, credentials, grants};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::LOOK_EVERY;

/// Looks at an account's tokens until it is stopped.
pub(super) struct TokenWatch {
    done: CancellationToken,
    task: JoinHandle<BTreeSet<String>>,
}

impl TokenWatch {
    pub(super) async fn start(stack: &Stack, account: &str) -> Self {
        let (store, keys) = (store(stack).await, keys(stack));
        let (id, done) = (account.parse().unwrap(), CancellationToken::new());
        let until = done.clone();
        let task = tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            loop {
                let last = until.is_cancelled();
                match look(&store, &keys, id).await {
                    Ok(tokens) => seen.extend(tokens),
                    // The database may be busy; the next look is soon.
                    Err(error) => assert!(!last, "the last look failed: {error}"),
                }
                if last {
                    return seen;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { done, task }
    }

    /// All tokens that were seen.
    pub(super) async fn stop(self) -> BTreeSet<String> {
        self.done.cancel();
        let seen = self.task.await.unwrap();
        assert!(seen.len() >= 8, "four pairs of tokens at least: {}", seen.len());
        seen
    }
}

async fn look(store: &Store, keys: &KeyRing, id: AccountId) -> Result<Vec<String>, StoreError> {
    let db = store.read();
    let account = accounts::find(db, id).await?;
    let Some(credential_id) = account.credential_id else {
        return Ok(Vec::new());
    };
    let credential = credentials::find(db, account.tenant_id, credential_id).await?;
    let Some(grant_id) = credential.grant_id else {
        return Ok(Vec::new());
    };
    let grant = grants::find(db, account.tenant_id, grant_id).await?;
    let tokens = [
        grants::open_access_token(keys, &grant)?,
        grants::open_refresh_token(keys, &grant)?,
    ];
    Ok(tokens
        .into_iter()
        .flatten()
        .map(|token| token.expose_secret().to_owned())
        .collect())
}

async fn store(stack: &Stack) -> Store {
    let config = StoreConfig {
        url: match stack.mode {
            Mode::Embedded => format!(
                "sqlite:{}",
                stack.data_dir("postroom").join("postroom.sqlite").display()
            ),
            Mode::Distributed => stack.variable("POSTROOM_DATABASE_URL").unwrap().to_owned(),
        },
        delivery: EventDelivery::Outbox,
        max_connections: 2,
    };
    Store::open(&config, Arc::new(SystemClock)).await.unwrap()
}

fn keys(stack: &Stack) -> KeyRing {
    match stack.mode {
        Mode::Embedded => KeyRing::load_or_create(&stack.data_dir("postroom").join("secret.key")).unwrap(),
        Mode::Distributed => {
            let keys = stack.variable("POSTROOM_SECRET_KEYS").unwrap();
            KeyRing::from_list(&SecretString::from(keys.to_owned())).unwrap()
        }
    }
}
