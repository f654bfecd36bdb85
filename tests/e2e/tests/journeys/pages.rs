//! A person connects a mailbox in a browser, from the one-time link to the account's page: refused with a wrong password,
//! let in by OAuth 2.0, and back again after the permission was taken away.

use postroom_corpus::Corpus;
use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes};
use postroom_test_support::{Revoke, SeedMessage, TestUser, Testbed};
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
    refused_with_a_wrong_password(&mut browser).await;
    the_refusal_is_of_the_password(&mut browser).await;
    browser.click("#connect").await.unwrap();
    sign_in_at_provider(&user, &mut browser).await;
    give_permission(&mut browser).await;

    let account = account_of(&browser.url().await.unwrap());
    stack.wait_for_state(&account, "connected", PATIENCE).await;
    browser.find("#state[data-state=connected]").await;
    assert_eq!(browser.text("#current-method").await.unwrap(), "OAuth 2.0");
    browser.picture("account").await.unwrap();
    look_around(&account, &mut browser).await;
    save_settings(&stack, &account, &mut browser).await;
    nothing_bars_anybody(&account, &mut browser).await;
    testbed.openid().revoke(&user, Revoke::All).await.unwrap();
    testbed.kick(&user).await.unwrap();
    stack
        .wait_for_state(&account, "needs_reauthorization", PATIENCE)
        .await;
    come_back(&user, &account, &mut browser).await;
    stack.wait_for_state(&account, "connected", PATIENCE).await;
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
}

/// Both halves say what is wrong, beside the field, and what was entered is still there.
async fn refused_with_a_wrong_password(browser: &mut Chromium) {
    browser.fill("#password", "not the password").await.unwrap();
    browser.picture("filled-in").await.unwrap();
    browser.click("#connect").await.unwrap();
    browser.find("#problems [data-code=imap_password_refused]").await;
    browser
        .find("#password-error [data-code=smtp_password_refused]")
        .await;
    let kept = browser.find("#sender_name").await;
    assert_eq!(kept.value().await.unwrap().as_deref(), Some("Pat of the Pages"));
    browser.picture("wrong-password").await.unwrap();
}

/// Whoever takes another way in is not told any more what was wrong with the first one.
async fn the_refusal_is_of_the_password(browser: &mut Chromium) {
    for (method, shown) in [("oauth2", false), ("app_password", true), ("oauth2", false)] {
        let label = format!("label:has(input[name=method][value={method}])");
        browser.click(&label).await.unwrap();
        let problems = browser.find("#problems").await;
        assert_eq!(problems.is_displayed().await.unwrap(), shown, "{method}");
    }
    browser.picture("by-oauth").await.unwrap();
}

/// The provider's own pages: who is there, and what is permitted.
async fn sign_in_at_provider(user: &TestUser, browser: &mut Chromium) {
    browser.find("#sign-in").await;
    browser.fill("#login", &user.address).await.unwrap();
    browser.fill("#password", &user.password).await.unwrap();
    browser.picture("provider-sign-in").await.unwrap();
    browser.click("#sign-in").await.unwrap();
}

async fn give_permission(browser: &mut Chromium) {
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
    search(browser).await;
}

/// The search box finds a message by its subject, and says so when there is none.
async fn search(browser: &mut Chromium) {
    let subject = browser.text("h1").await.unwrap();
    let word = subject.split_whitespace().max_by_key(|word| word.len()).unwrap();
    browser.fill("#q", word).await.unwrap();
    browser.click(".search button").await.unwrap();
    browser.find("a[href*='q=']").await;
    let found = browser.text("ul.messages").await.unwrap();
    assert!(found.contains(&subject), "{subject} in {found}");
    browser.picture("search").await.unwrap();
    browser.fill("#q", "nobody writes this").await.unwrap();
    browser.click(".search button").await.unwrap();
    browser.find(".list .empty").await;
    browser.click("a.gear").await.unwrap();
    browser.find("ul.accounts").await;
}

/// A folder is left out, a name and a signature are kept.
async fn save_settings(stack: &Stack, account: &str, browser: &mut Chromium) {
    browser
        .click(&format!("li[data-account='{account}'] h2 a"))
        .await
        .unwrap();
    browser.find("form#settings").await;
    let boxes = "form#settings input[type=checkbox]";
    assert!(browser.find(boxes).await.is_selected().await.unwrap());
    browser.fill("#signature", "Pat\nof the Pages").await.unwrap();
    browser.click("#save").await.unwrap();
    browser.find(".done").await;
    let kept = stack.api.get(&format!("/v1/accounts/{account}")).await.unwrap();
    assert_eq!(kept["signature"], "Pat\nof the Pages");
    assert_eq!(kept["sender_name"], "Pat of the Pages");
    browser.picture("settings").await.unwrap();
}

/// Every page, by the rules of axe.
async fn nothing_bars_anybody(account: &str, browser: &mut Chromium) {
    let inbox = format!("/accounts/{account}/messages");
    browser.go_to(&inbox).await.unwrap();
    let beside = browser
        .find("ul.messages li a")
        .await
        .attr("href")
        .await
        .unwrap()
        .unwrap();
    let row = browser.find("ul.messages li").await;
    let message = row.attr("data-message").await.unwrap().unwrap();
    for (name, path) in [
        ("accounts", "/accounts".to_owned()),
        ("add", "/accounts/add".to_owned()),
        ("account", format!("/accounts/{account}")),
        ("inbox", inbox),
        ("message", format!("/messages/{message}")),
        ("disconnect", format!("/accounts/{account}/disconnect")),
        ("notice", "/accounts/nothing".to_owned()),
    ] {
        browser.go_to(&path).await.unwrap();
        browser.find("main").await;
        browser.accessible(name).await.unwrap();
    }
    browser.go_to(&beside).await.unwrap();
    browser.find(".pane article.reading").await;
    browser.accessible("inbox with a message").await.unwrap();
}

/// The list says that the person is needed, and its button leads to the way back in.
async fn come_back(user: &TestUser, account: &str, browser: &mut Chromium) {
    browser.click("header nav a[href='/accounts']").await.unwrap();
    let waiting = format!("li[data-account='{account}'][data-state=needs_reauthorization]");
    browser.find(&waiting).await;
    browser.picture("permission-is-gone").await.unwrap();
    browser
        .click(&format!("{waiting} .actions a.primary"))
        .await
        .unwrap();
    browser.find("form#reconnect").await;
    browser.picture("reconnect").await.unwrap();
    browser.click("form#reconnect #connect").await.unwrap();
    sign_in_at_provider(user, browser).await;
    give_permission(browser).await;
    assert_eq!(account_of(&browser.url().await.unwrap()), account);
    browser.picture("back-again").await.unwrap();
}

fn account_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}
