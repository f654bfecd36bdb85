//! Raw mail in packs.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use postroom_events::{AccountId, MessageId, PackId};
use postroom_store::{
    Message, StoreError,
    packs::{Frame, MAX_PACK_BYTES, PackBuilder, Packs, StoredPack},
};

fn row(pack: &StoredPack, frame: Frame) -> Message {
    let epoch = chrono::DateTime::UNIX_EPOCH;
    Message {
        id: MessageId::generate(),
        account_id: pack.account_id,
        identity: vec![0; 32],
        message_id_header: None,
        in_reply_to: None,
        references_header: None,
        subject: String::new(),
        from_name: String::new(),
        from_address: String::new(),
        recipients: serde_json::Value::Null,
        sent_at: None,
        received_at: epoch,
        size: frame.size as i64,
        snippet: String::new(),
        has_attachments: false,
        quarantine_cause: None,
        pack_id: pack.id,
        pack_offset: frame.offset as i64,
        pack_length: frame.length as i64,
        digest: frame.digest.to_vec(),
        created_at: epoch,
        erase_requested_at: None,
    }
}

async fn one_pack(packs: &Packs, messages: &[&[u8]]) -> Vec<Message> {
    let mut builder = PackBuilder::new().unwrap();
    let frames: Vec<_> = messages.iter().map(|raw| builder.add(raw).unwrap()).collect();
    let pack = packs.put(AccountId::generate(), builder).await.unwrap();
    frames.into_iter().map(|frame| row(&pack, frame)).collect()
}

#[tokio::test]
async fn each_message_comes_out_as_it_went_in() {
    let (_directory, packs) = common::packs();
    let long = b"the same line again and again\r\n".repeat(10_000);
    let messages: [&[u8]; 4] = [b"From: a\r\n\r\nfirst", b"", &long, b"\x00\xff\x80"];
    let rows = one_pack(&packs, &messages).await;
    for (row, raw) in rows.iter().zip(messages) {
        assert_eq!(packs.read(row).await.unwrap(), raw);
    }
    assert!(rows[2].pack_length < rows[2].size / 10, "it is compressed");
}

#[tokio::test]
async fn what_is_not_what_was_stored_is_not_given_out() {
    let (_directory, packs) = common::packs();
    let rows = one_pack(&packs, &[b"one message of mine", b"another message of mine"]).await;
    let swapped = Message {
        pack_offset: rows[1].pack_offset,
        pack_length: rows[1].pack_length,
        ..rows[0].clone()
    };
    let other_digest = Message {
        digest: vec![7; 32],
        ..rows[0].clone()
    };
    let too_small = Message {
        size: 3,
        ..rows[0].clone()
    };
    let too_large = Message {
        size: i64::MAX,
        ..rows[0].clone()
    };
    for damaged in [swapped, other_digest, too_small, too_large] {
        let read = packs.read(&damaged).await;
        assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    }
    let gone = Message {
        pack_id: PackId::generate(),
        ..rows[0].clone()
    };
    assert!(matches!(packs.read(&gone).await, Err(StoreError::Objects(_))));
}

#[tokio::test]
async fn a_pack_is_bounded_unless_one_message_is_larger() {
    let mut builder = PackBuilder::new().unwrap();
    assert!(
        builder.has_room_for(100 * 1024 * 1024),
        "an empty pack takes any message"
    );
    let mut noise = 1_u64;
    let raw: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (noise >> 56) as u8
    })
    .take(MAX_PACK_BYTES - 100_000)
    .collect();
    builder.add(&raw).unwrap();
    assert!(builder.has_room_for(10_000));
    assert!(!builder.has_room_for(200_000));
}

#[tokio::test]
async fn files_are_their_owners_alone_and_what_is_deleted_is_gone() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, packs) = common::packs();
    let row = one_pack(&packs, &[b"mail"]).await.remove(0);
    let mail = directory.path().join("mail");
    assert_eq!(mail.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let file = mail
        .join(row.account_id.to_string())
        .join(row.pack_id.to_string());
    assert!(file.exists(), "the key of a pack is ACCOUNT/PACK");
    packs.delete(row.account_id, row.pack_id).await.unwrap();
    assert!(!file.exists());
    packs.delete(row.account_id, row.pack_id).await.unwrap();
}
