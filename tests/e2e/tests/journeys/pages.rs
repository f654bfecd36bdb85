//! A person connects a mailbox by OAuth 2.0 in a browser: from the one-time link to the account's page.

use postroom_corpus::Corpus;
use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes};
use postroom_test_support::{SeedMessage, TestUser, Testbed};
use serde_json::json;

use crate::{PATIENCE, chromium::Chromium};

const MESSAGES: u64 = 30;

in_both_modes!(a_person_connects_by_oauth);

async fn a_person_connects_by_oauth(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("pages").unwrap();
    let corpus = Corpus::new(31, MESSAGES).addressed_to(&user.address);
    let messages = corpus
        .messages()
        .map(|mail| SeedMessage::new(mail.raw).received(mail.received_at));
    testbed.seed(&user, "INBOX", messages.collect()).await.unwrap();
    let options = StackOptions::with_openid(&testbed).await.unwrap();
    let stack = Stack::start(mode, options).await.unwrap();
    let name = format!("{mode:?}").to_lowercase();
    let mut browser = Chromium::open(&testbed, &name).await.unwrap();

    enter(&stack, &mut browser).await;
    fill_in(&testbed, &user, &mut browser).await;
    give_permission(&user, &mut browser).await;

    let account = account_of(&browser.url().await.unwrap());
    stack.wait_for_state(&account, "connected", PATIENCE).await;
    browser.find("#state[data-state=connected]").await;
    assert_eq!(browser.text("#current-method").await.unwrap(), "OAuth 2.0");
    browser.picture("account").await.unwrap();
    look_around(&account, &mut browser).await;
    browser.close().await.unwrap();

    let same = stack
        .compare_folder(&testbed, &user, &account, "INBOX")
        .await
        .unwrap();
    assert_eq!(same, MESSAGES as usize);
}

/// The one-time link lets the browser in, once.
async fn enter(stack: &Stack, browser: &mut Chromium) {
    let link = stack
        .api
        .post("/v1/sign-in-links", &json!({ "user_ref": "u1" }))
        .await
        .unwrap();
    let link = link["url"].as_str().unwrap();
    browser.go(link).await.unwrap();
    assert_eq!(browser.text("h1").await.unwrap(), "Email accounts");
    browser.picture("no-accounts").await.unwrap();
    let again = reqwest::get(link).await.unwrap();
    assert!(!again.status().is_success(), "the link works once");
}

async fn fill_in(testbed: &Testbed, user: &TestUser, browser: &mut Chromium) {
    browser.click("a#add").await.unwrap();
    browser.picture("add-account").await.unwrap();
    browser.fill("#address", &user.address).await.unwrap();
    browser.fill("#sender_name", "Pat of the Pages").await.unwrap();
    browser
        .click("label:has(input[name=method][value=oauth2])")
        .await
        .unwrap();
    let (imap, smtp) = (&testbed.imap, &testbed.submission);
    browser.fill("input[name=imap_host]", &imap.host).await.unwrap();
    browser
        .fill("input[name=imap_port]", &imap.tls_port.to_string())
        .await
        .unwrap();
    browser
        .click("select[name=imap_tls] option[value=implicit]")
        .await
        .unwrap();
    browser.fill("input[name=smtp_host]", &smtp.host).await.unwrap();
    browser
        .fill("input[name=smtp_port]", &smtp.starttls_port.to_string())
        .await
        .unwrap();
    browser
        .click("select[name=smtp_tls] option[value=starttls]")
        .await
        .unwrap();
    browser.picture("filled-in").await.unwrap();
    browser.click("#connect").await.unwrap();
}

/// The provider's own pages: who is there, and what is permitted.
async fn give_permission(user: &TestUser, browser: &mut Chromium) {
    browser.fill("#login", &user.address).await.unwrap();
    browser.fill("#password", &user.password).await.unwrap();
    browser.picture("provider-sign-in").await.unwrap();
    browser.click("#sign-in").await.unwrap();
    browser.find("#accept").await;
    assert_eq!(browser.text("h1").await.unwrap(), "Permission requested");
    browser.picture("provider-permission").await.unwrap();
    browser.click("#accept").await.unwrap();
    browser.find("#state").await;
}

async fn look_around(account: &str, browser: &mut Chromium) {
    browser.click("header nav a[href='/accounts']").await.unwrap();
    browser
        .find(&format!("li[data-account='{account}'][data-state=connected]"))
        .await;
    browser.picture("accounts").await.unwrap();
    browser
        .click(&format!("li[data-account='{account}'] a[href$='/messages']"))
        .await
        .unwrap();
    browser.find("ul.messages li").await;
    browser.picture("messages").await.unwrap();
    browser.click("ul.messages li a").await.unwrap();
    browser.find("article.reading").await;
    browser.picture("message").await.unwrap();
}

fn account_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}
