//! Servers that nobody entered are looked for, by the address.

use postroom_discovery::{Discovered, MailAddress};
use postroom_events::TenantId;

use super::{
    draft::{DraftInput, tls_name},
    fields::check_mailbox,
    servers::ServerInput,
};
use crate::state::AppState;

/// Fills in the servers that were left out, where provider data do not know the address: with servers that discovery has
/// reached. What is not found stays empty, and is told as missing.
pub(crate) async fn find_servers(state: &AppState, tenant_id: TenantId, input: &mut DraftInput) {
    let complete = !input.imap.host.trim().is_empty() && !input.smtp.host.trim().is_empty();
    if complete || !input.provider.trim().is_empty() {
        return;
    }
    if let Some(found) = discovered(state, tenant_id, &input.address).await {
        fill_in(state, input, &found);
    }
}

/// What discovery finds for an address that provider data do not know; `None` if nothing, or if the tenant has had too many
/// addresses looked up.
pub(crate) async fn discovered(state: &AppState, tenant_id: TenantId, address: &str) -> Option<Discovered> {
    let address = check_mailbox(address).ok()?;
    if state.providers().by_address(&address).is_some() || state.discovery_pace().take(tenant_id).is_err() {
        return None;
    }
    let found = state.discovery().discover(&address).await;
    found
        .inspect_err(|error| tracing::debug!(code = error.code(), "No servers were found for an address"))
        .ok()
}

fn fill_in(state: &AppState, input: &mut DraftInput, found: &Discovered) {
    let (imap, smtp) = servers_of(found);
    if input.imap.host.trim().is_empty() {
        input.imap = imap;
        if input.login.is_empty() {
            input.login = login_of(found);
        }
    }
    if input.smtp.host.trim().is_empty() {
        input.smtp = smtp;
    }
    if state.providers().by_id(&found.provider).is_some() {
        input.provider.clone_from(&found.provider);
    }
}

/// The servers that were found, as somebody would enter them.
pub(crate) fn servers_of(found: &Discovered) -> (ServerInput, ServerInput) {
    let entered = |server: &postroom_discovery::DiscoveredServer| ServerInput {
        host: server.host.to_string(),
        port: server.port.to_string(),
        tls: tls_name(server.socket).to_owned(),
    };
    let smtp = found.smtp.as_ref().map(entered).unwrap_or_default();
    (entered(&found.imap), smtp)
}

/// The name to sign in with, as it was found.
pub(crate) fn login_of(found: &Discovered) -> String {
    MailAddress::parse(&found.address)
        .map(|address| found.imap.username.login(&address))
        .unwrap_or_default()
}
