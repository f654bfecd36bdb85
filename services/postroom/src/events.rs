//! `postroom events`: what happened, from the event log.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
    client::{Client, ClientArgs},
    say,
};

/// How often a tail asks for more.
const TAIL: Duration = Duration::from_millis(500);

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// Events of the log, oldest first.
    List(Filter),
    /// One event, and how each service handled it.
    Show {
        /// Id of the event.
        id: postroom_events::EventId,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Events as they happen, until Ctrl-C.
    Tail(Filter),
}

#[derive(Args)]
pub(crate) struct Filter {
    /// Only of this account.
    #[arg(long)]
    account: Option<postroom_events::AccountId>,
    /// Only of this type, such as message.received.
    #[arg(long = "type")]
    event_type: Option<String>,
    /// Only of this request.
    #[arg(long)]
    correlation: Option<uuid::Uuid>,
    /// From this time on (RFC 3339).
    #[arg(long)]
    since: Option<String>,
    /// Before this time (RFC 3339).
    #[arg(long)]
    until: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) async fn run(command: EventsCommand) -> Result<()> {
    match command {
        EventsCommand::List(filter) => list(&filter).await,
        EventsCommand::Show { id, client } => {
            let event = Client::new(&client)?.get(&format!("/v1/events/{id}")).await?;
            say(&serde_json::to_string_pretty(&event)?);
            Ok(())
        }
        EventsCommand::Tail(filter) => tail(&filter).await,
    }
}

async fn list(filter: &Filter) -> Result<()> {
    let client = Client::new(&filter.client)?;
    let (mut shown, mut after) = (0, None);
    while shown < filter.limit {
        let page = client
            .get(&filter.path(after.as_deref(), filter.limit - shown))
            .await?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.is_empty() {
            break;
        }
        items.iter().for_each(|event| print(event, filter.client.json));
        shown += items.len();
        after = page["next"].as_str().map(str::to_owned);
    }
    Ok(())
}

async fn tail(filter: &Filter) -> Result<()> {
    let client = Client::new(&filter.client)?;
    let mut after: Option<String> = None;
    loop {
        let page = client.get(&filter.path(after.as_deref(), 200)).await?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        items.iter().for_each(|event| print(event, filter.client.json));
        if let Some(next) = page["next"].as_str() {
            after = Some(next.to_owned());
        }
        if items.is_empty() {
            tokio::time::sleep(TAIL).await;
        }
    }
}

fn print(event: &Value, json: bool) {
    if json {
        return say(&event.to_string());
    }
    let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
    let name = text("type");
    let name = name.trim_start_matches("postroom.").trim_end_matches(".v1");
    say(&format!(
        "{}  {:<28} {}  {}",
        text("time"),
        name,
        text("subject"),
        text("id")
    ));
}

impl Filter {
    fn path(&self, after: Option<&str>, limit: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &limit.clamp(1, 200).to_string());
        let pairs = [
            ("account", self.account.map(|id| id.to_string())),
            ("type", self.event_type.clone()),
            ("correlation", self.correlation.map(|id| id.to_string())),
            ("since", self.since.clone()),
            ("until", self.until.clone()),
            ("after", after.map(str::to_owned)),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        format!("/v1/events?{}", query.finish())
    }
}
