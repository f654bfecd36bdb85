//! What a provider gave for a sign-in that led to no account is given back to it.

use std::time::Duration;

use postroom_test_support::{Decision, TcpProxy, TestUser, eventually, free_port};
use reqwest::{Method, StatusCode, header};

use crate::{
    oauth::{begin_at, come_back},
    rig::{Browser, Rig},
};

const PATIENCE: Duration = Duration::from_secs(15);

async fn revocations(rig: &Rig, user: &TestUser) -> u64 {
    let counts = rig.testbed.openid().counts(user).await.unwrap();
    counts.by_endpoint.get("revoke").copied().unwrap_or(0)
}

async fn is_given_back(rig: &Rig, user: &TestUser) {
    eventually(PATIENCE, "the tokens to be given back", async || {
        let seen = revocations(rig, user).await;
        (seen == 1).then_some(()).ok_or(seen)
    })
    .await;
}

#[tokio::test]
async fn what_somebody_else_or_a_mailbox_that_cannot_be_reached_gave_is_given_back() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("given").unwrap();
    let other = rig.testbed.create_user("given-other").unwrap();

    let url = begin_at(&rig, &browser, &user.address, rig.testbed.imap.tls_port).await;
    let wrong = come_back(&rig, &browser, &other, &url, Decision::Accept).await;
    wrong.shows("data-code=\"wrong_person\"");
    is_given_back(&rig, &other).await;

    let url = begin_at(&rig, &browser, &user.address, free_port().unwrap()).await;
    let refused = come_back(&rig, &browser, &user, &url, Decision::Accept).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows("data-code=\"imap_connection_refused\"");
    is_given_back(&rig, &user).await;
}

#[tokio::test]
async fn what_another_account_of_the_person_lives_on_is_not_given_back() {
    lives_on(Rig::start().await).await;
}

#[tokio::test]
async fn what_another_account_of_the_person_lives_on_is_not_given_back_on_postgres() {
    lives_on(Rig::start_on_postgres().await).await;
}

async fn lives_on(rig: Rig) {
    let user = rig.testbed.create_user("given-lives").unwrap();
    let (first, second) = (rig.browser("u1").await, rig.browser("u2").await);
    let url = begin_at(&rig, &first, &user.address, rig.testbed.imap.tls_port).await;
    let connected = come_back(&rig, &first, &user, &url, Decision::Accept).await;
    assert_eq!(connected.status, StatusCode::SEE_OTHER, "{}", connected.html);

    let url = begin_at(&rig, &second, &user.address, free_port().unwrap()).await;
    let refused = come_back(&rig, &second, &user, &url, Decision::Accept).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(revocations(&rig, &user).await, 0);

    let (_, accounts) = rig.get("/v1/accounts").await;
    let id = accounts["items"][0]["id"].as_str().unwrap();
    rig.post(&format!("/v1/accounts/{id}/disconnect"), &serde_json::json!({}))
        .await;
    let url = begin_at(&rig, &second, &user.address, free_port().unwrap()).await;
    come_back(&rig, &second, &user, &url, Decision::Accept).await;
    is_given_back(&rig, &user).await;
}

/// The browser comes back with the provider's answer and goes away while the mailbox is asked.
async fn leave_half_way(rig: &Rig, browser: &Browser<'_>, user: &TestUser, imap: &TcpProxy) {
    let url = begin_at(rig, browser, &user.address, imap.port()).await;
    let openid = rig.testbed.openid();
    let back = openid.sign_in(user, &url, Decision::Accept).await.unwrap();
    let path = back.as_str().strip_prefix(&rig.base).unwrap();
    let coming_back = rig
        .plain(Method::GET, path)
        .header(header::COOKIE, &browser.cookie)
        .send();
    tokio::select! {
        answer = coming_back => panic!("{answer:?}"),
        () = async {
            eventually(PATIENCE, "the mailbox to be asked", async || imap.accepted() > 0).await;
        } => {}
    }
}

#[tokio::test]
async fn a_browser_that_goes_away_leaves_no_tokens_behind() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("given-gone").unwrap();
    let (host, port) = (&rig.testbed.imap.host, rig.testbed.imap.tls_port);
    let mut imap = TcpProxy::start(&format!("{host}:{port}")).await.unwrap();
    imap.hold();
    leave_half_way(&rig, &browser, &user, &imap).await;
    assert_eq!(revocations(&rig, &user).await, 0, "the proof goes on");
    imap.take_down();
    is_given_back(&rig, &user).await;
}

#[tokio::test]
async fn a_browser_that_goes_away_does_not_undo_a_sign_in() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("given-kept").unwrap();
    let (host, port) = (&rig.testbed.imap.host, rig.testbed.imap.tls_port);
    let imap = TcpProxy::start(&format!("{host}:{port}")).await.unwrap();
    imap.hold();
    leave_half_way(&rig, &browser, &user, &imap).await;
    imap.release();
    eventually(PATIENCE, "the account to be kept", async || {
        let (_, accounts) = rig.get("/v1/accounts").await;
        let kept = accounts["items"][0]["address"] == user.address.as_str();
        kept.then_some(()).ok_or(accounts)
    })
    .await;
    assert_eq!(revocations(&rig, &user).await, 0);
}
