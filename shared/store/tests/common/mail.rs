//! Mail for the tests of the store.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, MessageId};
use postroom_store::{
    Folder, Message, Store, StoreError,
    folders::{self, ListedFolder},
    locations::{self, Departure, NewLocation},
    messages::{self, Batch, Identity, Mailbox, MessageFilter, NewMessage, Recipients},
    packs::{PackBuilder, Packs},
};

pub struct Mail {
    pub number: i64,
    pub flags: String,
}

pub fn mail(number: i64, flags: &str) -> Mail {
    Mail {
        number,
        flags: flags.into(),
    }
}

pub fn raw(number: i64) -> Vec<u8> {
    format!("Message-ID: <{number}@example.test>\r\nSubject: Message {number}\r\n\r\nBody of {number}\r\n")
        .into()
}

fn identity(number: i64) -> Identity {
    let mut identity = [0; 32];
    identity[..8].copy_from_slice(&number.to_be_bytes());
    identity
}

/// A folder with UIDVALIDITY 1 that begins empty.
pub async fn folder(store: &Store, account_id: AccountId, name: &str) -> Folder {
    let tx = store.begin("test.folder").await.unwrap();
    let mut list: Vec<_> = folders::of_account(tx.db(), account_id).await.unwrap();
    let mut listed: Vec<_> = list
        .drain(..)
        .map(|row| ListedFolder {
            name: row.name,
            delimiter: row.delimiter,
            role: None,
            selectable: row.selectable,
            uid_validity: None,
        })
        .collect();
    listed.push(ListedFolder {
        name: name.into(),
        delimiter: None,
        role: None,
        selectable: true,
        uid_validity: None,
    });
    let changes = folders::reconcile(&tx, account_id, &listed).await.unwrap();
    let row = folders::find(tx.db(), changes.added[0]).await.unwrap();
    folders::begin_cursor(&tx, &row, 1, 1, 0).await.unwrap();
    tx.commit().await.unwrap();
    folders::find(store.read(), row.id).await.unwrap()
}

/// A batch as the fetcher prepares it: known messages are linked, the others packed.
pub async fn prepare(store: &Store, packs: &Packs, folder: &Folder, mails: &[Mail]) -> Batch {
    let identities: Vec<_> = mails.iter().map(|mail| identity(mail.number)).collect();
    let known = messages::known(store.read(), folder.account_id, &identities)
        .await
        .unwrap();
    let mut builder = PackBuilder::new().unwrap();
    let mut new = Vec::new();
    let mut locations = Vec::new();
    for mail in mails {
        let identity = identity(mail.number);
        let message_id = known.get(&identity).copied().unwrap_or_else(|| {
            let message = new_message(identity, mail.number, &mut builder);
            let id = message.id;
            new.push(message);
            id
        });
        locations.push(NewLocation {
            uid: mail.number,
            message_id,
            flags: mail.flags.clone(),
            modseq: None,
        });
    }
    let pack = match builder.is_empty() {
        true => None,
        false => Some(packs.put(folder.account_id, builder).await.unwrap()),
    };
    Batch {
        account_id: folder.account_id,
        folder_id: folder.id,
        uid_validity: folder.uid_validity.unwrap(),
        pack,
        new,
        locations,
    }
}

fn new_message(identity: Identity, number: i64, builder: &mut PackBuilder) -> NewMessage {
    let you = Mailbox {
        name: String::new(),
        address: "you@example.test".into(),
    };
    NewMessage {
        id: MessageId::generate(),
        identity,
        message_id_header: Some(format!("{number}@example.test")),
        in_reply_to: None,
        references: vec!["a@b".into(), "c@d".into()],
        subject: format!("Message {number}"),
        from_name: "Me".into(),
        from_address: "me@example.test".into(),
        recipients: Recipients {
            to: vec![you],
            ..Recipients::default()
        },
        sent_at: None,
        received_at: DateTime::from_timestamp(1_790_000_000 + number / 3, 0).unwrap(),
        snippet: format!("Body of {number}"),
        has_attachments: false,
        quarantine_cause: None,
        frame: builder.add(&raw(number)).unwrap(),
    }
}

pub async fn record(store: &Store, packs: &Packs, folder: &Folder, mails: &[Mail]) -> Result<(), StoreError> {
    let batch = prepare(store, packs, folder, mails).await;
    let tx = store.begin("test.record").await?;
    messages::record_batch(&tx, batch).await?;
    tx.commit().await
}

pub async fn depart(
    store: &Store,
    folder: &Folder,
    uids: &[i64],
    moved_since: DateTime<Utc>,
) -> Vec<(MessageId, Departure)> {
    let tx = store.begin("test.depart").await.unwrap();
    let departures = locations::remove(&tx, folder.id, folder.uid_validity.unwrap(), uids, moved_since)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    departures
}

/// The messages of an account that are not to be erased, newest first.
pub async fn all(store: &Store, account_id: AccountId) -> Vec<Message> {
    let filter = MessageFilter {
        account_id,
        folder_id: None,
        before: None,
        limit: 1000,
    };
    messages::list(store.read(), &filter).await.unwrap()
}
