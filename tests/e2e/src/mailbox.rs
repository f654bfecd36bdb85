//! Connecting mailboxes as people and CRMs do.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use postroom_test_support::{Decision, TestUser, Testbed, eventually, free_port};
use reqwest::{Client, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};

use crate::{Stack, StackOptions};

impl StackOptions {
    /// Options under which Postroom is registered at the testbed's identity provider.
    ///
    /// # Errors
    /// When the provider refuses the registration.
    pub async fn with_openid(testbed: &Testbed) -> Result<Self> {
        let port = free_port()?;
        let client = testbed
            .openid()
            .create_client(&format!("http://localhost:{port}/oauth/callback"))
            .await?;
        let toml = format!(
            "[[registration]]\nid = \"testbed\"\nprovider = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
            testbed.openid_address.issuer, client.id, client.secret
        );
        Ok(Self {
            oauth_toml: Some(toml),
            port: Some(port),
            ..Self::default()
        })
    }
}

/// What a CRM says to connect a user's mailbox by password; for the other ways, change `method`.
pub fn connect_request(testbed: &Testbed, user: &TestUser) -> Value {
    json!({
        "user_ref": "u1",
        "address": user.address,
        "sender_name": user.full_name,
        "method": "password",
        "password": user.password,
        "imap": { "host": testbed.imap.host, "port": testbed.imap.tls_port, "tls": "implicit" },
        "smtp": { "host": testbed.submission.host, "port": testbed.submission.starttls_port, "tls": "starttls" },
    })
}

impl Stack {
    /// Connects a mailbox by password. Gives the account's id.
    ///
    /// # Errors
    /// When it is refused, with what the answer says.
    pub async fn connect_by_password(&self, testbed: &Testbed, user: &TestUser) -> Result<String> {
        self.connect(&connect_request(testbed, user)).await
    }

    /// Connects a mailbox by password with a request of one's own, such as one that goes through a proxy.
    ///
    /// # Errors
    /// When it is refused, with what the answer says.
    pub async fn connect(&self, request: &Value) -> Result<String> {
        let account = self.api.post("/v1/accounts", request).await?;
        Ok(account["id"]
            .as_str()
            .context("an account without an id")?
            .to_owned())
    }

    /// Connects a mailbox by OAuth 2.0, through the link of the API and the provider's login and consent pages. Gives
    /// the account's id.
    ///
    /// # Errors
    /// When a page is another than expected, with what it says.
    pub async fn connect_by_oauth(&self, testbed: &Testbed, user: &TestUser) -> Result<String> {
        let mut request = connect_request(testbed, user);
        request["method"] = json!("oauth2");
        request.as_object_mut().context("an object")?.remove("password");
        let answer = self.api.post("/v1/accounts", &request).await?;
        let link = answer["authorization_url"]
            .as_str()
            .context("no authorization_url")?;
        let landed = walk_through(testbed, user, link).await?;
        let path = landed.split('?').next().unwrap_or_default();
        path.rsplit('/')
            .next()
            .map(str::to_owned)
            .context("a page without an id")
    }

    /// Signs in again for an account that asks for it.
    ///
    /// # Errors
    /// When a page is another than expected, with what it says.
    pub async fn reconnect_by_oauth(&self, testbed: &Testbed, user: &TestUser, account: &str) -> Result<()> {
        let answer = self
            .api
            .post(
                &format!("/v1/accounts/{account}/reconnect"),
                &json!({ "method": "oauth2" }),
            )
            .await?;
        let link = answer["authorization_url"]
            .as_str()
            .context("no authorization_url")?;
        walk_through(testbed, user, link).await?;
        Ok(())
    }

    /// Waits until an account is in a state.
    ///
    /// # Panics
    /// When it is not after `within`, with the account as it is then.
    pub async fn wait_for_state(&self, account: &str, state: &str, within: Duration) {
        eventually(within, &format!("account {account} to be {state}"), || async {
            let account = self.api.get(&format!("/v1/accounts/{account}")).await?;
            ensure!(account["state"] == state, "{account}");
            anyhow::Ok(())
        })
        .await;
    }
}

/// A browser that opens a one-time link, presses Connect, signs in, accepts, and comes back. Gives where it lands.
async fn walk_through(testbed: &Testbed, user: &TestUser, link: &str) -> Result<String> {
    let http = Client::builder().redirect(Policy::none()).build()?;
    let entered = http.get(link).send().await?;
    ensure!(
        entered.status() == StatusCode::SEE_OTHER,
        "the link answers {}",
        entered.status()
    );
    let header = |name: header::HeaderName| {
        let value = entered
            .headers()
            .get(&name)
            .with_context(|| format!("no {name}"))?;
        anyhow::Ok(value.to_str()?.to_owned())
    };
    let cookie = header(header::SET_COOKIE)?
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let page = entered.url().join(&header(header::LOCATION)?)?;
    let html = http
        .get(page.clone())
        .header(header::COOKIE, &cookie)
        .send()
        .await?
        .text()
        .await?;
    let csrf = between(&html, "name=\"csrf\" value=\"", "\"")?;
    let leaving = http
        .post(page.clone())
        .header(header::COOKIE, &cookie)
        .form(&[("csrf", &csrf)])
        .send()
        .await?;
    let html = leaving.text().await?;
    let onward = between(&html, "http-equiv=\"refresh\" content=\"0; url=", "\"")?
        .replace("&#38;", "&")
        .replace("&amp;", "&");
    let back = testbed.openid().sign_in(user, &onward, Decision::Accept).await?;
    let landed = http.get(back).header(header::COOKIE, &cookie).send().await?;
    let status = landed.status();
    let location = landed
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    match location {
        Some(location) if status == StatusCode::SEE_OTHER => Ok(location),
        _ => anyhow::bail!("the callback answers {status}: {}", landed.text().await?),
    }
}

fn between(html: &str, before: &str, after: &str) -> Result<String> {
    let (_, rest) = html
        .split_once(before)
        .with_context(|| format!("no {before} in {html}"))?;
    Ok(rest.split(after).next().unwrap_or_default().to_owned())
}
