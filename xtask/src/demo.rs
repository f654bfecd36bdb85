//! `cargo xtask demo`: two mailboxes of the testbed, connected to a Postroom that stays up.

use std::{process::ExitCode, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use postroom_corpus::{Corpus, Mail};
use postroom_e2e::{Mode, Stack, StackOptions};
use postroom_test_support::{OpenId, SeedMessage, Settings, TestUser, Testbed, eventually};
use serde_json::{Value, json};

use crate::{say, shell, testbed};

/// Messages in each mailbox.
const MESSAGES: u64 = 300;
const CORPUS_SEED: u64 = 7;
/// Lifetime of the provider's access tokens, so short that a refresh can be watched.
const TOKEN_SECONDS: u32 = 40;
const PATIENCE: Duration = Duration::from_secs(120);

/// Start the mail world and Postroom, connect a password account and an OAuth account, and send a mail between them.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Verify all of it, print one line of JSON, and end.
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(args: &DemoArgs) -> Result<ExitCode> {
    testbed::up()?;
    say("Builds the binaries.");
    ensure!(
        shell(&["cargo", "build", "--quiet", "--workspace", "--bins"])?,
        "the binaries could not be built"
    );
    let testbed = Testbed::load()?;
    let (by_password, by_oauth) = (
        mailbox(&testbed, "demo-password").await?,
        mailbox(&testbed, "demo-oauth").await?,
    );
    short_tokens(&testbed.openid(), &by_oauth).await?;
    say("Starts Postroom, embedded.");
    let stack = Stack::start(Mode::Embedded, StackOptions::with_openid(&testbed).await?).await?;
    let found = watch(&testbed, &stack, &by_password, &by_oauth).await?;
    if args.check {
        say(&found.to_string());
        let good = found["password_account"] == "connected"
            && found["oauth_account"] == "connected"
            && found["messages_synced"].as_u64() >= Some(2 * MESSAGES)
            && found["sent_and_received_ms"].is_u64()
            && found["token_refreshed"] == true;
        return Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let link = stack
        .api
        .post("/v1/sign-in-links", &json!({ "user_ref": "u1" }))
        .await?;
    say(&format!("{found:#}"));
    say(&format!(
        "Open Postroom: {}",
        link["url"].as_str().context("a link without a URL")?
    ));
    say("The link signs one browser in, once, within the hour. Ctrl-C ends the demo.");
    tokio::signal::ctrl_c().await?;
    Ok(ExitCode::SUCCESS)
}

/// A new mailbox that holds varied messages.
async fn mailbox(testbed: &Testbed, name: &str) -> Result<TestUser> {
    let user = testbed.create_user(name)?;
    let corpus = Corpus::new(CORPUS_SEED, MESSAGES).addressed_to(&user.address);
    let messages = corpus
        .messages()
        .map(|mail: Mail| SeedMessage::new(mail.raw).received(mail.received_at))
        .collect();
    testbed.seed(&user, "INBOX", messages).await?;
    Ok(user)
}

async fn short_tokens(openid: &OpenId, user: &TestUser) -> Result<()> {
    openid
        .configure(
            user,
            Settings {
                access_token_ttl: Some(TOKEN_SECONDS),
                ..Settings::default()
            },
        )
        .await
}

/// Connects both, waits until their mail is there, sends a mail from one to the other, and waits for a refresh.
async fn watch(
    testbed: &Testbed,
    stack: &Stack,
    by_password: &TestUser,
    by_oauth: &TestUser,
) -> Result<Value> {
    say("Connects a mailbox by password and one by OAuth 2.0.");
    let first = stack.connect_by_password(testbed, by_password).await?;
    let second = stack.connect_by_oauth(testbed, by_oauth).await?;
    stack.wait_for_state(&first, "connected", PATIENCE).await;
    stack.wait_for_state(&second, "connected", PATIENCE).await;
    let (one, two) = (account(stack, &first).await?, account(stack, &second).await?);
    let synced = done(&one) + done(&two);

    say("Sends a mail from one to the other.");
    let sent = Instant::now();
    let mail = json!({ "to": [by_oauth.address], "subject": "A mail of the demo", "text": "Sent and received by Postroom." });
    stack
        .api
        .post(&format!("/v1/accounts/{first}/send"), &mail)
        .await?;
    wait_for_event(stack, &second, "message.received").await;
    let took = u64::try_from(sent.elapsed().as_millis())?;

    say("Waits for the provider's access token to be refreshed.");
    wait_for_event(stack, "", "token.refreshed").await;
    let (one, two) = (account(stack, &first).await?, account(stack, &second).await?);
    Ok(json!({
        "password_account": one["state"],
        "oauth_account": two["state"],
        "messages_synced": synced,
        "sent_and_received_ms": took,
        "token_refreshed": true,
    }))
}

async fn account(stack: &Stack, id: &str) -> Result<Value> {
    stack.api.get(&format!("/v1/accounts/{id}")).await
}

fn done(account: &Value) -> u64 {
    account["progress"]["messages_done"].as_u64().unwrap_or_default()
}

async fn wait_for_event(stack: &Stack, account: &str, kind: &str) {
    let only = if account.is_empty() {
        String::new()
    } else {
        format!("&account={account}")
    };
    let path = format!("/v1/events?type={kind}&limit=1{only}");
    eventually(PATIENCE, &format!("the event {kind}"), || async {
        let found = stack.api.get(&path).await?;
        ensure!(
            found["items"].as_array().is_some_and(|items| !items.is_empty()),
            "none yet"
        );
        anyhow::Ok(())
    })
    .await;
}
