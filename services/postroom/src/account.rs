//! `postroom account`: the connected mailboxes of a tenant.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    client::{Client, ClientArgs},
    say,
};

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// Every connected account with its state.
    List(ClientArgs),
    /// One account.
    Show(OneAccount),
    /// Fetch and send nothing for it until it is resumed.
    Pause(OneAccount),
    /// Go on after a pause.
    Resume(OneAccount),
    /// Look at its server now.
    Sync(OneAccount),
    /// Disconnect it for good.
    Disconnect {
        #[command(flatten)]
        one: OneAccount,
        /// Erase its stored mail, too.
        #[arg(long)]
        purge: bool,
    },
}

#[derive(clap::Args)]
pub(crate) struct OneAccount {
    /// Id of the account.
    id: postroom_events::AccountId,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn run(command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::List(args) => list(&args).await,
        AccountCommand::Show(one) => change(&one, None).await,
        AccountCommand::Pause(one) => change(&one, Some(("pause", Value::Null))).await,
        AccountCommand::Resume(one) => change(&one, Some(("resume", Value::Null))).await,
        AccountCommand::Sync(one) => change(&one, Some(("sync", json!({})))).await,
        AccountCommand::Disconnect { one, purge } => {
            change(&one, Some(("disconnect", json!({ "purge": purge })))).await
        }
    }
}

async fn list(args: &ClientArgs) -> Result<()> {
    let client = Client::new(args)?;
    let mut accounts = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("/v1/accounts?limit=200{after}")).await?;
        accounts.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    if args.json {
        say(&serde_json::to_string_pretty(&accounts)?);
        return Ok(());
    }
    for account in &accounts {
        say(&line(account));
    }
    if accounts.is_empty() {
        say("No account is connected yet.");
    }
    Ok(())
}

/// Shows an account, after a change if one is named.
async fn change(one: &OneAccount, action: Option<(&str, Value)>) -> Result<()> {
    let client = Client::new(&one.client)?;
    if let Some((action, body)) = action {
        client
            .post(&format!("/v1/accounts/{}/{action}", one.id), &body)
            .await?;
    }
    let account = client.get(&format!("/v1/accounts/{}", one.id)).await?;
    if one.client.json {
        say(&serde_json::to_string_pretty(&account)?);
    } else {
        say(&line(&account));
    }
    Ok(())
}

/// An account in one line: id, state, address, and what is wrong.
pub(crate) fn line(account: &Value) -> String {
    let text = |name: &str| account[name].as_str().unwrap_or("-").to_owned();
    let mut line = format!("{}  {:<22} {}", text("id"), text("state"), text("address"));
    if let Some(sentence) = account["sentence"].as_str() {
        line.push_str("  ");
        line.push_str(sentence);
    }
    line
}
