//! A person who walks through the provider's pages, without a browser.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

use crate::TestUser;
use crate::openid::admin::OpenId;

/// More steps than any sign-in takes.
pub(crate) const MOST_STEPS: usize = 20;

/// What the person answers to "Permission requested".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Gives permission.
    Accept,
    /// Presses Cancel.
    Cancel,
}

impl OpenId {
    /// Goes to an authorization URL, signs in as `user`, decides, and returns the URL that the provider sends the
    /// browser back to. Nobody visits that URL; the test does, or reads `code` or `error` from it.
    ///
    /// # Errors
    /// If the provider refuses the password, or shows an error page: the error holds its words.
    pub async fn sign_in(&self, user: &TestUser, authorization_url: &str, decision: Decision) -> Result<Url> {
        let mut visit = Visit::new()?;
        let mut url = Url::parse(authorization_url).context("the authorization URL")?;
        let mut form: Option<Vec<(&str, &str)>> = None;
        for _ in 0..MOST_STEPS {
            let response = visit.go(&url, form.take()).await?;
            if let Some(location) = response.headers().get(LOCATION) {
                url = url.join(location.to_str()?)?;
                if !url.as_str().starts_with(&format!("{}/", self.issuer)) {
                    return Ok(url);
                }
                continue;
            }
            form = Some(answer_to(&response.text().await?, user, decision)?);
        }
        bail!("the provider did not come to an end after {MOST_STEPS} steps")
    }
}

/// What to fill into a page.
pub(crate) fn answer_to<'a>(
    page: &str,
    user: &'a TestUser,
    decision: Decision,
) -> Result<Vec<(&'a str, &'a str)>> {
    if let Some((_, message)) = page.split_once(r#"id="error" role="alert">"#) {
        bail!(
            "the provider shows: {}",
            message.split('<').next().unwrap_or_default()
        );
    }
    if page.contains(r#"id="sign-in""#) {
        return Ok(vec![
            ("login", &user.address),
            ("password", &user.password),
            ("action", "sign-in"),
        ]);
    }
    ensure!(
        page.contains(r#"id="accept""#),
        "a page that is neither login nor consent: {page}"
    );
    Ok(vec![(
        "action",
        if decision == Decision::Accept {
            "accept"
        } else {
            "cancel"
        },
    )])
}

/// A browser's memory: cookies by name, which is enough for one site.
pub(crate) struct Visit {
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl Visit {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            http: Client::builder().redirect(Policy::none()).build()?,
            cookies: BTreeMap::new(),
        })
    }

    pub(crate) async fn go(&mut self, url: &Url, form: Option<Vec<(&str, &str)>>) -> Result<Response> {
        let request = match form {
            Some(fields) => self.http.post(url.clone()).form(&fields),
            None => self.http.get(url.clone()),
        };
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}
