//! An access token as far as it can be looked into: a JWT (RFC 9068, Microsoft) says when it ends and what it is for;
//! others are opaque, and the servers judge them.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use postroom_retry::Clock;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    course::{Course, Failure, Finding},
    report::{Part, Step, StepName},
};

const MAX_TOKEN: usize = 64 * 1024;
/// Scopes about the person, which are not in access tokens.
const ABOUT_THE_PERSON: [&str; 4] = ["openid", "profile", "email", "offline_access"];

pub(crate) async fn examine(clock: Arc<dyn Clock>, token: &SecretString, wanted: &[String]) -> Step {
    let now = clock.now().timestamp();
    let mut course = Course::new(clock, Part::Account, None, &[StepName::Token]);
    let _ = course
        .step(StepName::Token, async {
            judge(token.expose_secret(), wanted, now)
        })
        .await;
    course.finish().swap_remove(0)
}

fn judge(token: &str, wanted: &[String], now: i64) -> Result<Finding<()>, Failure> {
    let Some(claims) = claims(token) else {
        let sentence = "The access token cannot be looked into; the servers judge it.";
        return Ok(Finding::new((), sentence));
    };
    let ends = claims["exp"]
        .as_i64()
        .and_then(|at| DateTime::from_timestamp(at, 0));
    if let Some(ends) = ends.filter(|ends| ends.timestamp() <= now) {
        let sentence = format!("The access token ended at {}.", ends.to_rfc3339());
        return Err(Failure::new("token_expired", sentence));
    }
    let held = scopes(&claims);
    let missing: Vec<&str> = wanted
        .iter()
        .map(|scope| last(scope))
        .filter(|scope| !ABOUT_THE_PERSON.contains(scope))
        .filter(|scope| !held.iter().any(|own| own.eq_ignore_ascii_case(scope)))
        .collect();
    let warning = (!held.is_empty() && !missing.is_empty()).then(|| {
        format!(
            "The access token lacks {}: connect the account again and consent to all that is asked for.",
            missing.join(", ")
        )
    });
    let sentence = match ends {
        Some(ends) => format!("The access token is good until {}.", ends.to_rfc3339()),
        None => "The access token names no end.".to_owned(),
    };
    Ok(Finding::new((), sentence).warning(warning).detail("scopes", held))
}

/// The claims of a JWT. They are not verified: only the servers decide.
fn claims(token: &str) -> Option<Value> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let mut parts = token.split('.');
    let payload = parts.nth(1)?;
    parts.next()?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

/// `scp` (Microsoft), `scope` (RFC 9068) or `roles` (Microsoft, where no person signs in); at most 40.
fn scopes(claims: &Value) -> Vec<String> {
    let mut scopes: Vec<String> = ["scp", "scope"]
        .iter()
        .filter_map(|name| claims[*name].as_str())
        .flat_map(str::split_ascii_whitespace)
        .map(|scope| last(scope).to_owned())
        .collect();
    let roles = claims["roles"].as_array().into_iter().flatten();
    scopes.extend(roles.filter_map(Value::as_str).map(str::to_owned));
    scopes.truncate(40);
    scopes
}

/// `https://outlook.office.com/IMAP.AccessAsUser.All` is `IMAP.AccessAsUser.All` inside the token.
fn last(scope: &str) -> &str {
    scope.trim_end_matches('/').rsplit('/').next().unwrap_or(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_jwt_says_when_it_ends_and_what_it_lacks() {
        let wanted = [
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "https://outlook.office.com/SMTP.Send",
            "openid",
        ]
        .map(str::to_owned);
        let both = jwt(&json!({ "exp": 2000, "scp": "IMAP.AccessAsUser.All SMTP.Send" }));
        let good = judge(&both, &wanted, 1000).ok().unwrap();
        assert_eq!(good.warning, None);
        assert!(good.sentence.contains("1970-01-01T00:33:20"), "{}", good.sentence);
        assert_eq!(judge(&both, &wanted, 2000).err().unwrap().code, "token_expired");
        let one = jwt(&json!({ "exp": 2000, "scp": "IMAP.AccessAsUser.All" }));
        let warning = judge(&one, &wanted, 1000).ok().unwrap().warning.unwrap();
        assert!(warning.contains("lacks SMTP.Send:"), "{warning}");
    }

    #[test]
    fn what_is_no_jwt_is_left_to_the_servers() {
        for token in [
            "ya29.a0canary",
            "",
            "a.b.c",
            &"x.".repeat(40_000),
            &jwt(&json!([])),
        ] {
            let finding = judge(token, &[], 1000).ok().unwrap();
            assert!(finding.sentence.contains("servers judge"), "{}", finding.sentence);
        }
    }
}
