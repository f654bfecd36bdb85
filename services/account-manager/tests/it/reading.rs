//! Stored mail as the API and the pages show it.

use postroom_events::{AccountId, FolderId, MessageId};
use postroom_store::{
    Store,
    folders::{self, FolderRole, ListedFolder},
    locations::NewLocation,
    messages::{self, Batch, Mailbox, NewMessage, Recipients},
    packs::{PackBuilder, Packs},
};
use reqwest::{Method, StatusCode};

use crate::rig::{Rig, answer};

const HOSTILE: &str = "From: Eve <eve@example.test>\r\nTo: ada@example.test\r\nSubject: Hi <b>you</b>\r\n\
    Message-ID: <m1@example.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p><script>alert(1)</script><img src=\"http://track.example/x.gif\">\r\n\
    --b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a \\\"b\\\".pdf\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n";

/// Stores messages in an Inbox as imap-fetcher does; gives the folder and their ids.
pub(crate) async fn store_mail(
    store: &Store,
    packs: &Packs,
    account_id: AccountId,
    raws: &[String],
) -> (FolderId, Vec<MessageId>) {
    let mut pack = PackBuilder::new().unwrap();
    let frames: Vec<_> = raws.iter().map(|raw| pack.add(raw.as_bytes()).unwrap()).collect();
    let pack = packs.put(account_id, pack).await.unwrap();
    let tx = store.begin("test.store").await.unwrap();
    let inbox = ListedFolder {
        name: "INBOX".to_owned(),
        delimiter: Some("/".to_owned()),
        role: Some(FolderRole::Inbox),
        selectable: true,
        uid_validity: None,
    };
    let folder_id = folders::reconcile(&tx, account_id, &[inbox]).await.unwrap().added[0];
    let now = tx.store().clock().now();
    let new: Vec<_> = frames
        .into_iter()
        .enumerate()
        .map(|(number, frame)| NewMessage {
            id: MessageId::generate(),
            identity: [number as u8; 32],
            message_id_header: Some(format!("m{number}@example.test")),
            in_reply_to: None,
            references: Vec::new(),
            subject: format!("Subject {number} <b>"),
            from_name: "Eve".to_owned(),
            from_address: "eve@example.test".to_owned(),
            recipients: Recipients {
                to: vec![Mailbox {
                    name: String::new(),
                    address: "ada@example.test".to_owned(),
                }],
                ..Recipients::default()
            },
            sent_at: None,
            received_at: now - chrono::TimeDelta::minutes(number as i64),
            snippet: "Hello".to_owned(),
            has_attachments: true,
            quarantine_cause: None,
            frame,
        })
        .collect();
    let ids: Vec<_> = new.iter().map(|message| message.id).collect();
    let locations = ids
        .iter()
        .enumerate()
        .map(|(number, id)| NewLocation {
            uid: number as i64 + 1,
            message_id: *id,
            flags: if number == 0 {
                String::new()
            } else {
                "\\Seen".to_owned()
            },
            modseq: None,
        })
        .collect();
    let batch = Batch {
        account_id,
        folder_id,
        uid_validity: 1,
        pack: Some(pack),
        new,
        locations,
    };
    messages::record_batch(&tx, batch).await.unwrap();
    tx.commit().await.unwrap();
    (folder_id, ids)
}

async fn read_by_api(rig: &Rig) {
    let (_, account) = rig.connected("reading").await;
    let raws = [
        HOSTILE.to_owned(),
        HOSTILE.replace("m1@", "m2@"),
        "no header at all".to_owned(),
    ];
    let (folder, ids) = store_mail(&rig.store, &rig.packs, account, &raws).await;
    let (_, shown) = rig.get(&format!("/v1/accounts/{account}/folders")).await;
    assert_eq!(
        (
            shown["items"][0]["name"].as_str(),
            shown["items"][0]["role"].as_str()
        ),
        (Some("INBOX"), Some("inbox"))
    );

    let (_, page) = rig
        .get(&format!(
            "/v1/accounts/{account}/messages?folder={folder}&limit=2"
        ))
        .await;
    let listed: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, [ids[0].to_string(), ids[1].to_string()], "newest first");
    assert_eq!(page["items"][1]["locations"][0]["flags"][0], "\\Seen");
    let next = page["next"].as_str().unwrap();
    let (_, page) = rig
        .get(&format!("/v1/accounts/{account}/messages?limit=2&before={next}"))
        .await;
    assert_eq!(
        (page["items"].as_array().unwrap().len(), page["next"].as_str()),
        (1, None)
    );

    let (_, message) = rig.get(&format!("/v1/messages/{}", ids[0])).await;
    assert_eq!(message["content"]["headers"]["subject"], "Hi <b>you</b>");
    assert!(
        message["content"]["text"].as_str().unwrap().contains("Hello"),
        "{message}"
    );
    assert_eq!(message["content"]["attachments"][0]["type"], "application/pdf");
    let (_, odd) = rig.get(&format!("/v1/messages/{}", ids[2])).await;
    assert!(odd.get("content").is_none(), "{odd}");

    let raw = rig
        .ask(Method::GET, &format!("/v1/messages/{}/raw", ids[0]))
        .send()
        .await
        .unwrap();
    assert_eq!(raw.headers()["content-type"], "message/rfc822");
    assert_eq!(raw.bytes().await.unwrap(), HOSTILE.as_bytes());
    let path = format!("/v1/messages/{}/attachments/0", ids[0]);
    let file = rig.ask(Method::GET, &path).send().await.unwrap();
    assert!(
        file.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment; ")
    );
    assert_eq!(
        file.headers()["content-security-policy"],
        "default-src 'none'; sandbox"
    );
    assert_eq!(file.bytes().await.unwrap().as_ref(), b"%PDF");
    let (status, problem) = rig.get(&format!("/v1/messages/{}/attachments/9", ids[0])).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (404, Some("attachment_not_found"))
    );

    let stranger = rig.another_tenant().await;
    for path in [
        format!("/v1/messages/{}", ids[0]),
        format!("/v1/messages/{}/raw", ids[0]),
        path,
    ] {
        let (status, problem) = answer(rig.ask_as(&stranger, Method::GET, &path).send().await.unwrap()).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (404, Some("message_not_found")),
            "{path}"
        );
    }
    let (_, other) = rig.connected("reading-other").await;
    let (status, _) = rig
        .get(&format!("/v1/accounts/{other}/messages?folder={folder}"))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "another account's folder");
}

#[tokio::test]
async fn mail_is_read_by_the_api() {
    read_by_api(&Rig::start().await).await;
}

#[tokio::test]
async fn mail_is_read_by_the_api_on_postgres() {
    read_by_api(&Rig::start_on_postgres().await).await;
}

#[tokio::test]
async fn mail_is_read_safely_on_the_pages() {
    let rig = Rig::start().await;
    let (_, account) = rig.connected("reading-pages").await;
    let (folder, ids) = store_mail(&rig.store, &rig.packs, account, &[HOSTILE.to_owned()]).await;
    let browser = rig.browser("u1").await;
    let list = browser
        .open(&format!("/accounts/{account}/messages?folder={folder}"))
        .await;
    list.shows("class=\"unread\"");
    list.shows(">Inbox<");
    list.shows("1<span class=\"visually-hidden\"> unread</span>");
    assert!(!list.html.contains("Subject 0 <b>"), "unescaped");
    let path = format!("/messages/{}", ids[0]);
    let seen = browser.open(&path).await;
    seen.shows("sandbox=\"allow-popups allow-popups-to-escape-sandbox\"");
    seen.shows("Hello");
    for hostile in ["alert(1)", "track.example", "Hi <b>"] {
        assert!(!seen.html.contains(hostile), "{hostile} in {}", seen.html);
    }
    let file = browser.open(&format!("{path}/attachments/0")).await;
    assert_eq!(file.html, "%PDF");
    let stranger = rig.browser("u2").await;
    assert_eq!(stranger.open(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        stranger.open(&format!("{path}/attachments/0")).await.status,
        StatusCode::NOT_FOUND
    );
}
