//! `postroom account`: the connected mailboxes of a tenant.

use std::time::Duration;

use anyhow::{Result, bail};
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
    /// Connect a mailbox by OAuth 2.0: shows a code to type in on any device, and waits for the person.
    Connect(Box<Connect>),
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

#[derive(clap::Args)]
pub(crate) struct Connect {
    /// Address of the mailbox.
    address: String,
    /// By OAuth 2.0; a password is entered on the pages.
    #[arg(long, required = true)]
    oauth: bool,
    /// The CRM's id of the person whose mailbox it is.
    #[arg(long)]
    user_ref: String,
    /// OAuth registration, where several can be meant.
    #[arg(long, default_value = "")]
    registration: String,
    /// IMAP server, where the address does not tell.
    #[arg(long, default_value = "")]
    imap_host: String,
    /// SMTP server, where the address does not tell.
    #[arg(long, default_value = "")]
    smtp_host: String,
    #[command(flatten)]
    client: ClientArgs,
}

/// How often it is asked whether the person has signed in.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn run(command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::List(args) => list(&args).await,
        AccountCommand::Show(one) => change(&one, None).await,
        AccountCommand::Connect(connect) => self::connect(&connect).await,
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

/// Begins a sign-in on another device, shows its code, and waits for what comes of it.
async fn connect(args: &Connect) -> Result<()> {
    let client = Client::new(&args.client)?;
    let request = json!({
        "user_ref": args.user_ref, "address": args.address, "method": "oauth2", "flow": "device",
        "registration": args.registration, "imap": { "host": args.imap_host }, "smtp": { "host": args.smtp_host },
    });
    let begun = client.post("/v1/accounts", &request).await?;
    let Some(id) = begun["id"].as_str().filter(|_| begun["user_code"].is_string()) else {
        bail!("This mailbox needs no person to sign in: it is connected through the API.");
    };
    if !args.client.json {
        let text = |name: &str| begun[name].as_str().unwrap_or_default();
        say(&format!(
            "Open {} on any device and type in: {}",
            text("verification_uri"),
            text("user_code")
        ));
    } else {
        say(&begun.to_string());
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let view = client.get(&format!("/v1/device-sign-ins/{id}")).await?;
        match view["state"].as_str() {
            Some("pending") => {}
            Some("connected") => {
                let account = view["account_id"].as_str().unwrap_or_default();
                let account = client.get(&format!("/v1/accounts/{account}")).await?;
                say(&if args.client.json {
                    account.to_string()
                } else {
                    line(&account)
                });
                return Ok(());
            }
            _ => bail!(
                "Not connected: {}",
                view["sentence"].as_str().unwrap_or("the reason is not known.")
            ),
        }
    }
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
