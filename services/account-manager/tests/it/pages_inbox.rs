//! The inbox and the settings of an account, without scripts.

use postroom_events::FolderId;
use postroom_store::folders::{self, ListedFolder};
use reqwest::StatusCode;

use crate::{reading::store_mail, rig::Rig};

fn plain(number: usize) -> String {
    format!("From: Eve <eve@example.test>\r\nSubject: S {number}\r\n\r\nBody of {number}\r\n")
}

#[tokio::test]
async fn the_inbox_is_searched_and_read_beside_the_list() {
    let rig = Rig::start().await;
    let (_, account) = rig.connected("inbox").await;
    let (other_user, other) = rig.connected("inbox-other").await;
    let (folder, ids) = store_mail(&rig.store, &rig.packs, account, &[plain(0), plain(1)]).await;
    let (_, theirs) = store_mail(&rig.store, &rig.packs, other, &[plain(7)]).await;
    let browser = rig.browser("u1").await;
    let base = format!("/accounts/{account}/messages");
    let inbox = browser.open(&base).await;
    for part in [
        &ids[0].to_string(),
        &ids[1].to_string(),
        "aria-current=\"page\"",
        "role=\"search\"",
        "class=\"gear\" href=\"/accounts\"",
        &other_user.address,
    ] {
        inbox.shows(part);
    }
    assert_eq!(
        inbox.html.matches("data-message=\"").count(),
        2,
        "the other account's mail is not here"
    );

    let found = browser.open(&format!("{base}?q=subject%201")).await;
    found.shows(&ids[1].to_string());
    assert!(!found.html.contains(&format!("data-message=\"{}\"", ids[0])));
    for nothing in ["%25zz", "_", "%3Cscript%3Ealert(1)%3C%2Fscript%3E"] {
        let seen = browser.open(&format!("{base}?q={nothing}")).await;
        seen.shows("Nothing was found");
        assert!(!seen.html.contains("<script>alert"), "{}", seen.html);
    }

    let read = browser
        .open(&format!("{base}?folder={folder}&open={}", ids[1]))
        .await;
    read.shows("Body of 1");
    read.shows("aria-current=\"true\"");
    for foreign in [theirs[0].to_string(), "nothing".into()] {
        let seen = browser.open(&format!("{base}?open={foreign}")).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{foreign}");
    }
}

#[tokio::test]
async fn folders_name_and_signature_are_kept_and_told() {
    let rig = Rig::start().await;
    let (_, account) = rig.connected("settings").await;
    let (_, other) = rig.connected("settings-other").await;
    let tx = rig.store.begin("test.folders").await.unwrap();
    let listed = ["INBOX", "Work", "Later"].map(|name| ListedFolder {
        name: name.to_owned(),
        delimiter: Some("/".to_owned()),
        role: None,
        selectable: true,
        uid_validity: None,
    });
    folders::reconcile(&tx, account, &listed).await.unwrap();
    let theirs = folders::reconcile(&tx, other, &listed[..1]).await.unwrap().added[0];
    tx.commit().await.unwrap();
    let known = folders::of_account(rig.store.read(), account).await.unwrap();
    let id = |name: &str| known.iter().find(|row| row.name == name).unwrap().id;
    let synced = async |account, id: FolderId| {
        let choices = folders::choices(rig.store.read(), account).await.unwrap();
        choices[&id]
    };
    let browser = rig.browser("u1").await;
    let page = format!("/accounts/{account}");
    let action = format!("{page}/settings");
    browser.open(&page).await.shows("form id=\"settings\"");
    let (work, inbox) = (format!("f_{}", id("Work")), format!("f_{}", id("INBOX")));
    let foreign = format!("f_{theirs}");
    let fields = [
        ("sender_name", "Ada <L>"),
        ("signature", "Ada\r\nLondon"),
        (&work, "0"),
        (&inbox, "0"),
        (&inbox, "1"),
        (&foreign, "0"),
    ];
    let saved = browser.submit(&page, &action, &fields).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.html);
    assert!(!synced(account, id("Work")).await && synced(account, id("INBOX")).await);
    assert!(synced(account, id("Later")).await, "was not on the form");
    assert!(synced(other, theirs).await, "somebody else's folder");
    let (_, shown) = rig.get(&format!("/v1/accounts/{account}")).await;
    assert_eq!(
        (shown["sender_name"].as_str(), shown["signature"].as_str()),
        (Some("Ada <L>"), Some("Ada\nLondon"))
    );
    assert_eq!(
        rig.event_types().await.last().map(String::as_str),
        Some("account.settings_changed")
    );
    browser.open(&saved.location.unwrap()).await.shows("Saved.");

    let refused = browser
        .submit(
            &page,
            &action,
            &[("sender_name", "Eve"), ("signature", "a\u{7}"), (&work, "1")],
        )
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows("data-code=\"invalid_signature\"");
    refused.shows("value=\"Eve\"");
    assert!(!synced(account, id("Work")).await, "nothing was kept");
    let stranger = rig.browser("u2").await;
    let seen = stranger.submit("/accounts", &action, &fields).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
}
