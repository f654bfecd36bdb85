//! A person who types a device's code in, without a browser.

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::LOCATION;
use url::Url;

use crate::TestUser;
use crate::openid::admin::OpenId;
use crate::openid::pages::{Decision, MOST_STEPS, Visit, answer_to};

impl OpenId {
    /// Goes to the page that a device shows, types its code in, signs in as `user` and decides (RFC 8628 section 3.3).
    ///
    /// # Errors
    /// If the provider refuses the code or the password, or shows an error page: the error holds its words.
    pub async fn enter_device_code(
        &self,
        user: &TestUser,
        verification_uri: &str,
        user_code: &str,
        decision: Decision,
    ) -> Result<()> {
        let mut visit = Visit::new()?;
        let mut url = Url::parse(verification_uri).context("the verification URL")?;
        let page = visit.go(&url, None).await?.text().await?;
        let typed = vec![("xsrf", hidden(&page)?), ("user_code", user_code)];
        let page = visit.go(&url, Some(typed)).await?.text().await?;
        ensure!(page.contains(r#"id="confirm""#), "the code was not taken: {page}");
        let confirmed = vec![
            ("xsrf", hidden(&page)?),
            ("user_code", user_code),
            ("confirm", "yes"),
        ];
        let mut response = visit.go(&url, Some(confirmed)).await?;
        for _ in 0..MOST_STEPS {
            let form = match response.headers().get(LOCATION) {
                Some(location) => {
                    url = url.join(location.to_str()?)?;
                    None
                }
                None => {
                    let page = response.text().await?;
                    // After Cancel the provider asks for another code.
                    if page.contains(r#"id="signed-in""#)
                        || (decision == Decision::Cancel && page.contains(r#"id="next""#))
                    {
                        return Ok(());
                    }
                    Some(answer_to(&page, user, decision)?)
                }
            };
            response = visit.go(&url, form).await?;
        }
        bail!("the provider did not come to an end after {MOST_STEPS} steps")
    }
}

/// What the page wants to see again.
fn hidden(page: &str) -> Result<&str> {
    let value = page
        .split_once(r#"name="xsrf" value=""#)
        .and_then(|(_, rest)| rest.split_once('"'));
    Ok(value.with_context(|| format!("a page without a form: {page}"))?.0)
}
