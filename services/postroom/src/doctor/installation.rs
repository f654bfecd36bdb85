//! The installation: its database and broker, its accounts, its dead letters.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    account,
    client::{Client, ClientArgs},
    say,
};

pub(crate) async fn run(args: &ClientArgs) -> Result<()> {
    let client = Client::new(args)?;
    let faults = client.readiness().await?;
    let page = client.get("/v1/accounts?limit=200").await?;
    let accounts = page["items"].as_array().cloned().unwrap_or_default();
    let ailing: Vec<_> = accounts.into_iter().filter(is_ailing).collect();
    let letters = client.get("/v1/dead-letters?limit=200").await?;
    let letters = letters["items"].as_array().map_or(0, Vec::len);
    if args.json {
        say(
            &serde_json::json!({ "faults": faults, "accounts": ailing, "dead_letters": letters }).to_string(),
        );
    } else {
        report(&faults, &ailing, letters);
    }
    if faults.is_empty() && ailing.is_empty() && letters == 0 {
        return Ok(());
    }
    bail!("Not everything is well.")
}

fn report(faults: &[String], ailing: &[Value], letters: usize) {
    match faults {
        [] => say("ok    database and message broker"),
        faults => faults.iter().for_each(|fault| say(&format!("FAULT {fault}"))),
    }
    match ailing {
        [] => say("ok    every account works"),
        ailing => ailing
            .iter()
            .for_each(|ill| say(&format!("FAULT {}", account::line(ill)))),
    }
    match letters {
        0 => say("ok    no dead letters"),
        count => say(&format!(
            "FAULT {count} dead letters wait for a decision: GET /v1/dead-letters lists them"
        )),
    }
}

fn is_ailing(account: &Value) -> bool {
    let state = account["state"].as_str().unwrap_or_default();
    !matches!(state, "connecting" | "syncing" | "connected" | "paused")
        || account["sending"]["condition"] != "ok"
}
