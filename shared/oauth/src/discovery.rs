//! Finding the endpoints of an OpenID provider by its issuer URL (OpenID Connect Discovery 1.0).

use postroom_providers::{ClientAuth, Endpoints};
use serde::Deserialize;
use url::Url;

use crate::causes::{ISSUER_MISMATCH, METADATA_UNUSABLE};
use crate::failure::HttpFailure;
use crate::http_client::IdentityHttp;
use crate::token_error::TokenError;

/// What a provider publishes about itself, as far as we need it.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    #[serde(default)]
    device_authorization_endpoint: Option<Url>,
    #[serde(default)]
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    scopes_supported: Option<Vec<String>>,
}

impl Metadata {
    fn urls(&self) -> impl Iterator<Item = &Url> {
        let optional = [
            &self.device_authorization_endpoint,
            &self.revocation_endpoint,
            &self.userinfo_endpoint,
        ];
        [&self.authorization_endpoint, &self.token_endpoint]
            .into_iter()
            .chain(optional.into_iter().flatten())
    }
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(crate) endpoints: Endpoints,
    pub(crate) userinfo: Option<Url>,
    pub(crate) client_auth: ClientAuth,
    /// Whom a signed proof of who we are is meant for.
    pub(crate) assertion_audience: String,
    /// RFC 9207: every redirect back names the issuer.
    pub(crate) names_itself: bool,
    pub(crate) scopes_supported: Option<Vec<String>>,
}

impl Discovered {
    /// A place where tokens are given, and nothing else happens.
    pub(crate) fn token_endpoint_alone(url: &Url) -> Self {
        Self {
            endpoints: Endpoints {
                authorize: url.clone(),
                token: url.clone(),
                device: None,
                revoke: None,
                issuer: None,
                admin_consent: None,
            },
            userinfo: None,
            client_auth: ClientAuth::default(),
            assertion_audience: String::new(),
            names_itself: false,
            scopes_supported: None,
        }
    }
}

/// Reads the provider's metadata. Its issuer must be the configured one to the letter, or a provider could speak
/// for another (OpenID Connect Discovery 4.3).
pub(crate) async fn discover(
    http: &IdentityHttp,
    issuer: &Url,
    name: &str,
) -> Result<Discovered, TokenError> {
    let base = issuer.as_str().trim_end_matches('/');
    let unusable = || TokenError::new(METADATA_UNUSABLE, name);
    let url = Url::parse(&format!("{base}/.well-known/openid-configuration")).map_err(|_| unusable())?;
    let metadata: Metadata = http.get_json(&url, None).await.map_err(|failure| match failure {
        HttpFailure::NotJson => unusable(),
        HttpFailure::Refused { status, .. } if status.is_client_error() && status.as_u16() != 429 => {
            unusable()
        }
        other => TokenError::from_http(other, name),
    })?;
    // A URL without a path is written with and without its slash; everything else is compared as it is.
    let same = metadata.issuer == issuer.as_str() || (issuer.path() == "/" && metadata.issuer == base);
    if !same {
        return Err(TokenError::new(ISSUER_MISMATCH, name));
    }
    if !metadata.urls().all(|url| http.permits(url)) {
        return Err(unusable());
    }
    Ok(Discovered {
        // The issuer, and not an endpoint that the metadata name: those could be another provider's.
        assertion_audience: metadata.issuer.clone(),
        endpoints: Endpoints {
            authorize: metadata.authorization_endpoint,
            token: metadata.token_endpoint,
            device: metadata.device_authorization_endpoint,
            revoke: metadata.revocation_endpoint,
            issuer: Some(metadata.issuer),
            admin_consent: None,
        },
        userinfo: metadata.userinfo_endpoint,
        client_auth: client_auth(metadata.token_endpoint_auth_methods_supported.as_deref()),
        names_itself: metadata.authorization_response_iss_parameter_supported,
        scopes_supported: metadata.scopes_supported,
    })
}

/// The form where the provider takes it: it needs no agreement on how to escape. Basic is what an absent list means
/// (OpenID Connect Discovery section 3).
fn client_auth(supported: Option<&[String]>) -> ClientAuth {
    match supported {
        Some(methods) if methods.iter().any(|method| method == "client_secret_post") => ClientAuth::Body,
        _ => ClientAuth::Basic,
    }
}
