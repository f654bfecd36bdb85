//! OAuth 2.0 by the real provider's login and consent pages, with a browser that keeps no scripts.

use std::time::Duration;

use postroom_events::{GrantState, WhoCanAct};
use postroom_store::{accounts, credentials, grants};
use postroom_test_support::{Decision, TestUser};
use reqwest::StatusCode;
use serde_json::json;

use crate::rig::{Browser, Rig, Seen};

/// Fills the form in for OAuth; gives the provider's address.
async fn begin(rig: &Rig, browser: &Browser<'_>, address: &str) -> String {
    begin_at(rig, browser, address, rig.testbed.imap.tls_port).await
}

/// With an IMAP server at that port.
pub(crate) async fn begin_at(rig: &Rig, browser: &Browser<'_>, address: &str, imap_port: u16) -> String {
    let (imap, smtp) = (imap_port.to_string(), rig.testbed.submission.tls_port.to_string());
    let fields = [
        ("address", address),
        ("method", "oauth2"),
        ("imap_host", "localhost"),
        ("imap_port", imap.as_str()),
        ("smtp_host", "localhost"),
        ("smtp_port", smtp.as_str()),
        ("smtp_tls", "implicit"),
        ("imap_tls", "implicit"),
    ];
    let leaving = browser.submit("/accounts/add", "/accounts/add", &fields).await;
    assert_eq!(leaving.status, StatusCode::OK, "{}", leaving.html);
    leaving.onward()
}

/// Walks through the provider's pages and comes back.
pub(crate) async fn come_back(
    rig: &Rig,
    browser: &Browser<'_>,
    user: &TestUser,
    url: &str,
    decision: Decision,
) -> Seen {
    let back = rig.testbed.openid().sign_in(user, url, decision).await.unwrap();
    browser.open(back.as_str().strip_prefix(&rig.base).unwrap()).await
}

#[tokio::test]
async fn a_mailbox_is_connected_by_login_and_consent() {
    connected_by_login_and_consent(&Rig::start().await).await;
}

#[tokio::test]
async fn a_mailbox_is_connected_by_login_and_consent_on_postgres() {
    connected_by_login_and_consent(&Rig::start_on_postgres().await).await;
}

async fn connected_by_login_and_consent(rig: &Rig) {
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("oauth").unwrap();
    let url = begin(rig, &browser, &user.address).await;
    for part in ["code_challenge_method=S256", "state=", "nonce=", "login_hint="] {
        assert!(url.contains(part), "{url}");
    }
    let seen = come_back(rig, &browser, &user, &url, Decision::Accept).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.html);
    browser
        .open(seen.location.as_deref().unwrap())
        .await
        .shows("OAuth 2.0");
    let (_, accounts) = rig.get("/v1/accounts").await;
    assert_eq!(
        (
            accounts["items"][0]["method"].as_str(),
            accounts["items"][0]["state"].as_str()
        ),
        (Some("oauth2"), Some("syncing"))
    );
    assert_eq!(
        rig.event_types().await,
        ["account.connected", "account.state_changed"]
    );
}

#[tokio::test]
async fn a_link_of_the_api_leads_to_exactly_that_mailbox() {
    let rig = Rig::start().await;
    let user = rig.testbed.create_user("oauth-link").unwrap();
    let mut request = rig.by_password(&user);
    request["method"] = json!("oauth2");
    request.as_object_mut().unwrap().remove("password");
    let (status, answer) = rig.post("/v1/accounts", &request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (browser, location) = rig.enter(answer["authorization_url"].as_str().unwrap()).await;
    let page = browser.open(&location).await;
    page.shows(&user.address);
    let leaving = browser.submit(&location, &location, &[]).await;
    let seen = come_back(&rig, &browser, &user, &leaving.onward(), Decision::Accept).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.html);
    let stranger = rig.browser("u2").await;
    assert_eq!(stranger.open(&location).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refusals_say_why_and_keep_nothing() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("oauth-refused").unwrap();
    let other = rig.testbed.create_user("oauth-other").unwrap();

    let url = begin(&rig, &browser, &user.address).await;
    let declined = come_back(&rig, &browser, &user, &url, Decision::Cancel).await;
    declined.shows("data-code=\"consent_declined\"");
    declined.shows("id=\"connect\"");
    declined.shows(&user.address);

    let url = begin(&rig, &browser, &user.address).await;
    let wrong = come_back(&rig, &browser, &other, &url, Decision::Accept).await;
    wrong.shows("data-code=\"wrong_person\"");
    wrong.shows(&user.address);
    wrong.shows(&other.address);

    assert_eq!(rig.event_types().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_counts_once_in_its_own_browser_and_in_time() {
    let rig = Rig::start().await;
    let (browser, stranger) = (rig.browser("u1").await, rig.browser("u1").await);
    let user = rig.testbed.create_user("oauth-state").unwrap();

    let url = begin(&rig, &browser, &user.address).await;
    let back = rig
        .testbed
        .openid()
        .sign_in(&user, &url, Decision::Accept)
        .await
        .unwrap();
    let path = back.as_str().strip_prefix(&rig.base).unwrap();
    let elsewhere = stranger.open(path).await;
    assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST);
    elsewhere.shows("another browser");
    let first = browser.open(path).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.html);
    let again = browser.open(path).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    again.shows("works only once");
    browser
        .open("/oauth/callback?state=made-up&code=x")
        .await
        .shows("no sign-in that was begun here");

    let late = rig.testbed.create_user("oauth-late").unwrap();
    let url = begin(&rig, &browser, &late.address).await;
    let back = rig
        .testbed
        .openid()
        .sign_in(&late, &url, Decision::Accept)
        .await
        .unwrap();
    rig.clock.advance(Duration::from_secs(16 * 60));
    browser
        .open(back.as_str().strip_prefix(&rig.base).unwrap())
        .await
        .shows("took too long");
    assert_eq!(
        rig.get("/v1/accounts").await.1["items"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_dead_grant_is_connected_again_as_the_same_account() {
    connected_again_as_the_same_account(Rig::start().await).await;
}

#[tokio::test]
async fn a_dead_grant_is_connected_again_as_the_same_account_on_postgres() {
    connected_again_as_the_same_account(Rig::start_on_postgres().await).await;
}

async fn connected_again_as_the_same_account(rig: Rig) {
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("oauth-again").unwrap();
    let url = begin(&rig, &browser, &user.address).await;
    come_back(&rig, &browser, &user, &url, Decision::Accept).await;
    let account = accounts::list_owned(rig.store.read(), rig.tenant.id, None, None, 10)
        .await
        .unwrap()
        .remove(0);
    let credential = credentials::find(rig.store.read(), rig.tenant.id, account.credential_id.unwrap())
        .await
        .unwrap();
    let grant = grants::find(rig.store.read(), rig.tenant.id, credential.grant_id.unwrap())
        .await
        .unwrap();

    let tx = rig.store.begin("test.end_grant").await.unwrap();
    grants::end(&tx, &grant, GrantState::NeedsReauthorization, "grant_revoked")
        .await
        .unwrap();
    let metadata = postroom_events::EventMetadata::started_by("token-refresher", rig.tenant.id);
    let change = accounts::StateChange {
        account_id: account.id,
        credential_generation: Some(1),
        from: &[account.state],
        to: postroom_events::AccountState::NeedsReauthorization,
        cause: Some("grant_revoked"),
        who_can_act: WhoCanAct::User,
    };
    assert!(accounts::change_state(&tx, &metadata, change).await.unwrap());
    tx.commit().await.unwrap();
    browser.open("/accounts").await.shows("Connect again");

    let page = format!("/accounts/{}", account.id);
    let fields = [
        ("method", "oauth2"),
        ("imap_host", account.imap_host.as_str()),
        ("smtp_host", account.smtp_host.as_str()),
    ];
    let (imap, smtp) = (account.imap_port.to_string(), account.smtp_port.to_string());
    let fields = [
        &fields[..],
        &[
            ("imap_port", imap.as_str()),
            ("smtp_port", smtp.as_str()),
            ("imap_tls", "implicit"),
            ("smtp_tls", "implicit"),
        ],
    ]
    .concat();
    let leaving = browser.submit(&page, &format!("{page}/reconnect"), &fields).await;
    let seen = come_back(&rig, &browser, &user, &leaving.onward(), Decision::Accept).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.html);
    let after = accounts::find(rig.store.read(), account.id).await.unwrap();
    assert_eq!(
        (after.credential_id, after.credential_generation),
        (account.credential_id, 1)
    );
    assert_eq!(after.state, postroom_events::AccountState::Syncing);
    let renewed = grants::find(rig.store.read(), rig.tenant.id, grant.id)
        .await
        .unwrap();
    assert_eq!((renewed.state, renewed.token_version), (GrantState::Active, 2));
    let events = rig.event_types().await;
    assert_eq!(
        events.iter().filter(|event| *event == "token.refreshed").count(),
        1,
        "{events:?}"
    );
}

#[tokio::test]
async fn a_password_account_is_switched_to_oauth_in_place() {
    let rig = Rig::start().await;
    let (user, id) = rig.connected("oauth-switch").await;
    let browser = rig.browser("u1").await;
    let (status, answer) = rig
        .post(
            &format!("/v1/accounts/{id}/reconnect"),
            &json!({"method": "oauth2"}),
        )
        .await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    let (linked, location) = rig.enter(answer["authorization_url"].as_str().unwrap()).await;
    let leaving = linked.submit(&location, &location, &[]).await;
    let seen = come_back(&rig, &linked, &user, &leaving.onward(), Decision::Accept).await;
    assert_eq!(
        seen.location.as_deref(),
        Some(format!("/accounts/{id}?done=reconnected").as_str()),
        "{}",
        seen.html
    );
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    assert_eq!(
        (
            account["method"].as_str(),
            account["credential_generation"].as_i64()
        ),
        (Some("oauth2"), Some(2))
    );
    browser.open(&format!("/accounts/{id}")).await.shows("OAuth 2.0");
}
