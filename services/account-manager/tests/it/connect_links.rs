//! Links by which a CRM sends its user here and gets them back.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{oauth::begin_at, oauth::come_back, rig::Rig};
use postroom_test_support::Decision;

const RETURN_URL: &str = "https://crm.example/mail?user=1";

async fn link(rig: &Rig, address: &str) -> String {
    let body = json!({ "user_ref": "u1", "address": address, "return_url": RETURN_URL });
    let (status, link) = rig.post("/v1/sign-in-links", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{link}");
    link["url"].as_str().unwrap().to_owned()
}

async fn only_account(rig: &Rig) -> Value {
    let (_, accounts) = rig.get("/v1/accounts").await;
    let items = accounts["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{accounts}");
    items[0].clone()
}

#[tokio::test]
async fn the_person_connects_that_address_and_goes_back() {
    let rig = Rig::start().await;
    let (user, other) = (
        rig.testbed.create_user("crm").unwrap(),
        rig.testbed.create_user("crm-other").unwrap(),
    );
    let (browser, location) = rig.enter(&link(&rig, &user.address).await).await;
    assert_eq!(location, "/accounts/add");
    let shown = browser.open(&location).await;
    shown.shows(&user.address);
    shown.shows("id=\"go-back\"");
    let (imap, smtp) = (
        rig.testbed.imap.tls_port.to_string(),
        rig.testbed.submission.tls_port.to_string(),
    );
    let fields = [
        ("address", other.address.as_str()), // another than the link was made for
        ("method", "password"),
        ("password", user.password.as_str()),
        ("imap_host", "localhost"),
        ("imap_port", &imap),
        ("imap_tls", "implicit"),
        ("smtp_host", "localhost"),
        ("smtp_port", &smtp),
        ("smtp_tls", "implicit"),
    ];
    let seen = browser.submit("/accounts/add", "/accounts/add", &fields).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.html);
    let account = only_account(&rig).await;
    assert_eq!(account["address"], user.address.as_str());
    let returning = browser.open(&seen.location.unwrap()).await;
    let id = account["id"].as_str().unwrap();
    assert_eq!(
        returning.onward(),
        format!("{RETURN_URL}&status=connected&account_id={id}")
    );
}

#[tokio::test]
async fn by_oauth_the_callback_leads_back_too() {
    let rig = Rig::start().await;
    let user = rig.testbed.create_user("crm-oauth").unwrap();
    let (browser, _) = rig.enter(&link(&rig, &user.address).await).await;
    let url = begin_at(&rig, &browser, &user.address, rig.testbed.imap.tls_port).await;
    let seen = come_back(&rig, &browser, &user, &url, Decision::Accept).await;
    let id = only_account(&rig).await["id"].as_str().unwrap().to_owned();
    assert_eq!(
        seen.location.as_deref(),
        Some(format!("/return?account={id}").as_str()),
        "{}",
        seen.html
    );
}

#[tokio::test]
async fn whoever_gives_up_goes_back_and_a_link_works_once_and_not_for_ever() {
    let rig = Rig::start().await;
    let made = link(&rig, "ada@example.org").await;
    let (browser, _) = rig.enter(&made).await;
    let returning = browser.open("/return").await;
    assert_eq!(returning.onward(), format!("{RETURN_URL}&status=cancelled"));
    assert_eq!(
        browser.open("/return?account=nonsense").await.status,
        StatusCode::NOT_FOUND
    );
    let path = made.strip_prefix(&rig.base).unwrap();
    let again = rig.plain(Method::GET, path).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);

    let old = link(&rig, "ada@example.org").await;
    rig.clock.advance(Duration::from_secs(60 * 60 + 1));
    let late = rig
        .plain(Method::GET, old.strip_prefix(&rig.base).unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);

    // Without a return URL there is no way out.
    let plain = rig.browser("u1").await;
    assert_eq!(plain.open("/return").await.location.as_deref(), Some("/accounts"));
}

#[tokio::test]
async fn a_link_leads_nowhere_else() {
    let rig = Rig::start().await;
    for (field, value, code) in [
        ("return_url", "https://evil.example/", "return_url_not_allowed"),
        ("return_url", "http://crm.example/", "return_url_not_allowed"),
        (
            "return_url",
            "https://crm.example@evil.example/",
            "invalid_return_url",
        ),
        ("return_url", "javascript:alert(1)", "return_url_not_allowed"),
        ("return_url", "//crm.example", "invalid_return_url"),
        ("address", "no address", "invalid_address"),
    ] {
        let mut body = json!({ "user_ref": "u1" });
        body[field] = json!(value);
        let (status, problem) = rig.post("/v1/sign-in-links", &body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!(code)),
            "{value}"
        );
    }
}
