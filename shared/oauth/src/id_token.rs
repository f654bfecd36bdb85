//! Who signed in: the claims of an `id_token` (OpenID Connect Core section 2 and 3.1.3.7).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::causes::{Cause, ID_TOKEN_REFUSED, SIGN_IN_MIXED_UP};

/// The person who signed in, as the provider's directory describes them.
///
/// The addresses say which account was chosen at the login page, so that a mistake is noticed; they are no proof
/// that the mailbox is theirs. That proof is the sign-in to IMAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who vouches.
    pub issuer: String,
    /// The person's lasting id there.
    pub subject: String,
    /// The organization (Microsoft's `tid`), where there is one.
    pub tenant: Option<String>,
    /// Addresses of the person, best first.
    pub addresses: Vec<String>,
    /// The person's name.
    pub name: Option<String>,
}

impl Identity {
    /// Whether one of the person's addresses is `address`; upper and lower case are the same.
    #[must_use]
    pub fn has_address(&self, address: &str) -> bool {
        self.addresses.iter().any(|own| own.eq_ignore_ascii_case(address))
    }
}

/// What an `id_token` has to fit.
pub(crate) struct Expected<'a> {
    /// May hold `{tid}`.
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) identity_claims: &'a [String],
    pub(crate) now: DateTime<Utc>,
}

/// How far past its end a token is taken. It has just come over TLS in answer to our own one-time code, so its age
/// says nothing; a clock that is an hour wrong, here or there, must do no harm.
const CLOCK_SKEW: TimeDelta = TimeDelta::hours(2);

/// Longest text taken over from a claim.
const MAX_CLAIM: usize = 320;

/// Checks an `id_token` that came from the token endpoint, and reads it.
pub(crate) fn read(id_token: &str, expected: &Expected<'_>) -> Result<Identity, Cause> {
    let claims = claims_of(id_token).ok_or(ID_TOKEN_REFUSED)?;
    let text = |name: &str| text(&claims, name);
    let issuer = text("iss").ok_or(ID_TOKEN_REFUSED)?;
    let subject = text("sub").ok_or(ID_TOKEN_REFUSED)?;
    let tenant = text("tid").filter(|tid| tid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    let expected_issuer = expected.issuer.replace("{tid}", tenant.unwrap_or_default());
    if issuer != expected_issuer || !is_for(&claims, expected.client_id) || is_over(&claims, expected.now) {
        return Err(ID_TOKEN_REFUSED);
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(SIGN_IN_MIXED_UP);
    }
    Ok(Identity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        tenant: tenant.map(str::to_owned),
        addresses: addresses(&claims, expected.identity_claims),
        name: text("name").map(str::to_owned),
    })
}

/// The values of `names` in `claims` that look like addresses, each once.
pub(crate) fn addresses(claims: &Map<String, Value>, names: &[String]) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    for value in names
        .iter()
        .filter_map(|name| text(claims, name))
        .filter(|value| value.contains('@'))
    {
        if !addresses.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            addresses.push(value.to_owned());
        }
    }
    addresses
}

/// A claim that is a short text without control characters.
pub(crate) fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    let value = claims.get(name)?.as_str()?;
    let fits = !value.is_empty() && value.len() <= MAX_CLAIM && !value.chars().any(char::is_control);
    fits.then_some(value)
}

/// The payload of a JWS in compact form (RFC 7515 section 7.1); its signature is not needed, see the crate's page.
fn claims_of(id_token: &str) -> Option<Map<String, Value>> {
    let [_, payload, _] = id_token.split('.').collect::<Vec<_>>()[..] else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// `aud` names us; if it names others too, `azp` says that it was made for us.
fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    let ours = |value: &Value| value.as_str() == Some(client_id);
    let named = match claims.get("aud") {
        Some(Value::Array(audience)) if audience.len() > 1 => {
            audience.iter().any(ours) && claims.get("azp").is_some_and(ours)
        }
        Some(Value::Array(audience)) => audience.iter().any(ours),
        Some(audience) => ours(audience),
        None => false,
    };
    named && claims.get("azp").is_none_or(ours)
}

fn is_over(claims: &Map<String, Value>, now: DateTime<Utc>) -> bool {
    let end = claims
        .get("exp")
        .and_then(Value::as_i64)
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    end.and_then(|end| end.checked_add_signed(CLOCK_SKEW))
        .is_none_or(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn jwt(claims: &Value) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!(
            "{}.{}.{}",
            encode(b"{\"alg\":\"RS256\"}"),
            encode(claims.to_string().as_bytes()),
            encode(b"sig")
        )
    }

    fn good() -> Value {
        json!({
            "iss": "https://login.example.org", "sub": "42", "aud": "client", "exp": NOW + 60, "nonce": "n",
            "email": "Ada@example.org", "preferred_username": "ada@example.org", "upn": "no address", "name": "Ada"
        })
    }

    fn check(claims: &Value, issuer: &str) -> Result<Identity, Cause> {
        let identity_claims = ["preferred_username", "upn", "email"].map(str::to_owned);
        let expected = Expected {
            issuer,
            client_id: "client",
            nonce: "n",
            identity_claims: &identity_claims,
            now: DateTime::from_timestamp(NOW, 0).unwrap(),
        };
        read(&jwt(claims), &expected)
    }

    fn with(changes: &[(&str, Value)]) -> Result<Identity, Cause> {
        let mut claims = good();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        check(&claims, "https://login.example.org")
    }

    #[test]
    fn a_good_token_says_who_signed_in() {
        let identity = with(&[]).unwrap();
        assert_eq!(identity.subject, "42");
        assert_eq!(
            identity.addresses,
            ["ada@example.org"],
            "each once, and only addresses"
        );
        assert!(identity.has_address("ADA@EXAMPLE.ORG") && !identity.has_address("eve@example.org"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |changes: &[(&str, Value)]| with(changes).unwrap_err().code;
        assert_eq!(
            refused(&[("iss", json!("https://login.example.org/"))]),
            "id_token_refused"
        );
        assert_eq!(
            refused(&[("iss", json!("https://evil.example"))]),
            "id_token_refused"
        );
        assert_eq!(refused(&[("aud", json!("other"))]), "id_token_refused");
        assert_eq!(
            refused(&[("aud", json!(["other", "client"]))]),
            "id_token_refused"
        );
        assert_eq!(refused(&[("azp", json!("other"))]), "id_token_refused");
        assert_eq!(refused(&[("exp", json!(NOW - 7200))]), "id_token_refused");
        assert_eq!(refused(&[("exp", json!("soon"))]), "id_token_refused");
        assert_eq!(refused(&[("sub", json!(""))]), "id_token_refused");
        assert_eq!(refused(&[("nonce", json!("other"))]), "sign_in_mixed_up");
        assert_eq!(refused(&[("nonce", Value::Null)]), "sign_in_mixed_up");
    }

    #[test]
    fn what_fits_in_other_forms_is_taken() {
        assert!(with(&[("aud", json!(["client"]))]).is_ok());
        assert!(with(&[("aud", json!(["other", "client"])), ("azp", json!("client"))]).is_ok());
        assert!(
            with(&[("exp", json!(NOW - 3600))]).is_ok(),
            "a clock that is an hour wrong does no harm"
        );
        let hostile = with(&[
            ("preferred_username", json!("ada@example.org\r\nX: y")),
            ("name", json!("a\u{0}")),
        ]);
        let hostile = hostile.unwrap();
        assert_eq!(
            (hostile.addresses.as_slice(), hostile.name),
            (&["Ada@example.org".to_owned()][..], None)
        );
    }

    #[test]
    fn an_issuer_may_hold_the_tenant() {
        let mut claims = good();
        claims["tid"] = json!("9188040d-6c67-4c5b-b112-36a304b66dad");
        claims["iss"] = json!("https://login.example.org/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0");
        let template = "https://login.example.org/{tid}/v2.0";
        assert_eq!(
            check(&claims, template).unwrap().tenant.as_deref(),
            claims["tid"].as_str()
        );
        claims["tid"] = json!("other");
        assert!(check(&claims, template).is_err());
        claims["tid"] = json!("../evil");
        claims["iss"] = json!("https://login.example.org/../evil/v2.0");
        assert!(check(&claims, template).is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let expected = Expected {
            issuer: "i",
            client_id: "c",
            nonce: "n",
            identity_claims: &[],
            now: DateTime::UNIX_EPOCH,
        };
        for odd in [
            "",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "..",
            &format!("a.{}.c", URL_SAFE_NO_PAD.encode("[1]")),
        ] {
            assert!(read(odd, &expected).is_err(), "{odd}");
        }
    }
}
