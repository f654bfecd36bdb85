//! Applications that sign in as themselves, and service accounts.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::description::WebClient;
use crate::names::unique;
use crate::openid::admin::OpenId;

/// What an application of a test is to be like.
#[derive(Clone, Debug, Default)]
pub struct Application<'a> {
    /// The certificate by whose key it proves who it is, as a PEM file; a secret, if there is none.
    pub certificate: Option<&'a Path>,
    /// With it, the application may sign in as itself, and opens every mailbox of this domain.
    pub mail_domain: Option<&'a str>,
    /// Seconds that a person has to type a code in; 900 by default.
    pub device_code_ttl: Option<u32>,
    /// Where it may be sent back to.
    pub redirect_uri: Option<&'a str>,
}

impl OpenId {
    /// Makes an application that no other test has. Its secret means nothing if it has a certificate.
    ///
    /// # Errors
    /// If the certificate cannot be read, or the provider does not answer.
    pub async fn create_application(&self, application: Application<'_>) -> Result<WebClient> {
        let client = WebClient {
            id: format!("app-{}", unique()),
            secret: format!("secret-{}", unique()),
        };
        let mut description = json!({
            "client_id": client.id, "client_secret": client.secret,
            "mail_domain": application.mail_domain, "device_code_ttl": application.device_code_ttl,
            "redirect_uris": application.redirect_uri.as_slice()
        });
        if let Some(path) = application.certificate {
            let pem = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            description["certificate"] = pem.into();
        }
        self.post("/clients", &description).await?;
        Ok(client)
    }

    /// Makes a service account, and gives its key as Google does: a JSON document. Without `delegated`, the organization
    /// has not allowed it to act for mailboxes.
    ///
    /// # Errors
    /// If the provider does not answer.
    pub async fn create_service_account(&self, delegated: bool) -> Result<Value> {
        self.post("/service-accounts", &json!({ "delegated": delegated }))
            .await
    }
}
