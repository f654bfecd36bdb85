//! The pages: who gets in, what each page carries, what a form must bring along.

use std::time::Duration;

use postroom_events::AccountId;
use reqwest::{Method, StatusCode, header};
use serde_json::json;

use crate::rig::Rig;

#[tokio::test]
async fn a_link_lets_one_browser_in_once() {
    let rig = Rig::start().await;
    let (_, link) = rig.post("/v1/sign-in-links", &json!({"user_ref": "u1"})).await;
    let link = link["url"].as_str().unwrap();
    let path = link.strip_prefix(&rig.base).unwrap();
    // A program that looks at links before people do uses nothing up.
    let looked = rig.plain(Method::HEAD, path).send().await.unwrap();
    assert!(!looked.headers().contains_key(header::SET_COOKIE));
    let first = rig.plain(Method::GET, path).send().await.unwrap();
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    let cookie = first.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"),
        "{cookie}"
    );
    let second = rig.plain(Method::GET, path).send().await.unwrap();
    assert_eq!(second.status(), StatusCode::UNAUTHORIZED);
    assert!(second.text().await.unwrap().contains("used already"));
    let unknown = rig.plain(Method::GET, "/enter/nothing").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_expired_link_and_an_expired_session_let_nobody_in() {
    let rig = Rig::start().await;
    let (_, link) = rig.post("/v1/sign-in-links", &json!({"user_ref": "u1"})).await;
    let browser = rig.browser("u1").await;
    assert_eq!(browser.open("/accounts").await.status, StatusCode::OK);
    rig.clock.advance(Duration::from_secs(3700));
    let path = link["url"]
        .as_str()
        .unwrap()
        .strip_prefix(&rig.base)
        .unwrap()
        .to_owned();
    let late = rig.plain(Method::GET, &path).send().await.unwrap();
    assert!(late.text().await.unwrap().contains("has expired"));
    rig.clock.advance(Duration::from_secs(24 * 3600));
    let seen = browser.open("/accounts").await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    seen.shows("Enter by your link");
}

#[tokio::test]
async fn every_page_carries_its_headers_and_nothing_from_elsewhere() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let (_, account) = rig.connected("headers").await;
    for path in [
        "/accounts".to_owned(),
        "/accounts/add".into(),
        format!("/accounts/{account}"),
        format!("/accounts/{account}/messages"),
        format!("/accounts/{account}/disconnect"),
        "/accounts/nothing".into(),
    ] {
        let seen = browser.open(&path).await;
        let policy = seen.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(seen.headers["x-content-type-options"], "nosniff");
        assert_eq!(seen.headers["cache-control"], "no-store");
        assert_eq!(seen.headers["referrer-policy"], "no-referrer");
        for inline in [
            "<script>",
            " onclick",
            " style=",
            "javascript:",
            "src=\"http",
            "href=\"http",
        ] {
            assert!(!seen.html.contains(inline), "{path} has {inline}");
        }
        for form in seen.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            let asks_only = form.split('>').next().unwrap().contains("method=\"get\"");
            assert!(
                asks_only != form.contains("name=\"csrf\""),
                "{path}: a form that changes something without token, or a token in a URL"
            );
        }
    }
    for asset in ["postroom.css", "postroom.js", "icon.svg"] {
        assert_eq!(
            rig.plain(Method::GET, &format!("/assets/{asset}"))
                .send()
                .await
                .unwrap()
                .status(),
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn without_a_session_every_page_says_how_to_get_in() {
    let rig = Rig::start().await;
    for path in [
        "/",
        "/accounts",
        "/accounts/add",
        "/oauth/callback?state=x&code=y",
    ] {
        let response = rig.plain(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(response.text().await.unwrap().contains("link"), "{path}");
    }
}

#[tokio::test]
async fn a_form_without_the_token_of_its_session_does_nothing() {
    let rig = Rig::start().await;
    let (_, account) = rig.connected("csrf").await;
    let (browser, other) = (rig.browser("u1").await, rig.browser("u1").await);
    let foreign = other.open("/accounts/add").await.hidden("csrf");
    let action = format!("/accounts/{account}/pause");
    for fields in [
        vec![],
        vec![("csrf", "")],
        vec![("csrf", "wrong")],
        vec![("csrf", foreign.as_str())],
    ] {
        let seen = browser.send(rig.plain(Method::POST, &action).form(&fields)).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
    }
    let own = browser.open("/accounts/add").await.hidden("csrf");
    let cross = rig
        .plain(Method::POST, &action)
        .form(&[("csrf", &own)])
        .header("sec-fetch-site", "cross-site");
    assert_eq!(browser.send(cross).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        rig.get(&format!("/v1/accounts/{account}")).await.1["state"],
        "syncing"
    );
    let seen = browser.submit("/accounts/add", &action, &[]).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    assert_eq!(
        rig.get(&format!("/v1/accounts/{account}")).await.1["state"],
        "paused"
    );
}

#[tokio::test]
async fn a_person_sees_only_their_own_accounts() {
    let rig = Rig::start().await;
    let (user, account) = rig.connected("own").await;
    let (mine, theirs) = (rig.browser("u1").await, rig.browser("u2").await);
    mine.open("/accounts").await.shows(&user.address);
    let list = theirs.open("/accounts").await;
    assert!(!list.html.contains(&user.address));
    let unknown = AccountId::generate();
    for suffix in ["", "/messages", "/disconnect"] {
        let foreign = theirs.open(&format!("/accounts/{account}{suffix}")).await;
        let missing = theirs.open(&format!("/accounts/{unknown}{suffix}")).await;
        assert_eq!(
            (foreign.status, &foreign.html),
            (StatusCode::NOT_FOUND, &missing.html),
            "{suffix}"
        );
    }
    let seen = theirs
        .submit("/accounts", &format!("/accounts/{account}/pause"), &[])
        .await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_account_is_added_by_the_form_and_faults_stand_beside_their_fields() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let user = rig.testbed.create_user("form").unwrap();
    let (imap, smtp) = (
        rig.testbed.imap.tls_port.to_string(),
        rig.testbed.submission.tls_port.to_string(),
    );
    let fields = |password: &'static str| {
        vec![
            ("address", user.address.clone()),
            ("sender_name", "<b>Ada".into()),
            ("method", "password".into()),
            ("password", password.into()),
            ("login", String::new()),
            ("imap_host", "localhost".into()),
            ("imap_port", imap.clone()),
            ("imap_tls", "implicit".into()),
            ("smtp_host", "localhost".into()),
            ("smtp_port", smtp.clone()),
            ("smtp_tls", "implicit".into()),
        ]
    };
    let page = browser.open("/accounts/add").await;
    for id in [
        "form id=\"add-account\"",
        "id=\"address\"",
        "name=\"imap_host\"",
        "value=\"password\"",
        "value=\"app_password\"",
        "value=\"oauth2\"",
        "button id=\"connect\"",
    ] {
        page.shows(id);
    }
    let submit = async |fields: Vec<(&str, String)>| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        browser.submit("/accounts/add", "/accounts/add", &fields).await
    };
    let refused = submit(fields("wrong")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows("id=\"password-error\"");
    refused.shows("data-code=\"imap_password_refused\"");
    refused.shows(&user.address);
    assert!(
        !refused.html.contains("<b>Ada") && !refused.html.contains("value=\"wrong\""),
        "{}",
        refused.html
    );
    let mut right = fields("");
    right[3].1.clone_from(&user.password);
    let connected = submit(right).await;
    assert_eq!(connected.status, StatusCode::SEE_OTHER, "{}", connected.html);
    let seen = browser.open(&connected.location.unwrap()).await;
    seen.shows("First sync");
    seen.shows("Connected. The first sync has begun.");
    browser.open("/accounts").await.shows("data-state=\"syncing\"");
}

#[tokio::test]
async fn what_is_known_about_a_domain_is_offered() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let seen = browser.open("/accounts/preset?address=ada%40icloud.com").await;
    seen.shows("imap.mail.me.com");
    assert!(
        browser
            .open("/accounts/preset?address=x")
            .await
            .html
            .contains("false")
    );
    browser
        .open("/accounts/add?address=ada%40gmail.com")
        .await
        .shows("imap.gmail.com");
}

#[tokio::test]
async fn who_leaves_is_out() {
    let rig = Rig::start().await;
    let browser = rig.browser("u1").await;
    let seen = browser.submit("/accounts", "/leave", &[]).await;
    assert!(seen.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(browser.open("/accounts").await.status, StatusCode::UNAUTHORIZED);
}
