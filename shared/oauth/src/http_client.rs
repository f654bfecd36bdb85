//! The HTTP client for identity providers: no redirects, time-outs, a cap on answers, https only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use oauth2::http::Request;
use oauth2::{HttpRequest, HttpResponse};
use postroom_retry::Clock;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Host, Url, form_urlencoded};

use crate::failure::{ErrorAnswer, HttpFailure};

const JSON: &str = "application/json";

/// How identity providers are reached.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Time for a connection.
    pub connect_timeout: Duration,
    /// Time for one request, its answer included.
    pub timeout: Duration,
    /// Longest answer in bytes.
    pub max_response: usize,
    /// A PEM file with authorities to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
    /// Whether `http://` is allowed to loopback addresses, for a provider on the same machine.
    pub allow_http_on_loopback: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(20),
            max_response: 1024 * 1024,
            extra_ca: None,
            allow_http_on_loopback: false,
        }
    }
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The CA file cannot be used.
    #[error("The CA file {} cannot be used: {cause}. Check the path and that it holds PEM certificates.", path.display())]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// TLS cannot be set up.
    #[error(
        "The HTTP client for identity providers cannot be set up: {0}. Check that the system has CA certificates."
    )]
    Client(String),
}

/// The HTTP client that all identity providers share. Clones share connections.
#[derive(Clone, Debug)]
pub struct IdentityHttp {
    client: Client,
    max_response: usize,
    allow_http_on_loopback: bool,
    clock: Arc<dyn Clock>,
}

impl IdentityHttp {
    /// Sets the client up.
    ///
    /// # Errors
    /// [`HttpSetupError`]
    pub fn new(settings: &HttpSettings, clock: Arc<dyn Clock>) -> Result<Self, HttpSetupError> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none()) // an answer to a secret goes nowhere else
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .referer(false)
            .https_only(!settings.allow_http_on_loopback)
            .user_agent(concat!("Postroom/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &settings.extra_ca {
            let refuse = |cause: String| HttpSetupError::CaFile {
                path: path.clone(),
                cause,
            };
            let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
            let authorities =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| refuse(error.to_string()))?;
            if authorities.is_empty() {
                return Err(refuse("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        let client = builder
            .build()
            .map_err(|error| HttpSetupError::Client(error.to_string()))?;
        Ok(Self {
            client,
            max_response: settings.max_response,
            allow_http_on_loopback: settings.allow_http_on_loopback,
            clock,
        })
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    /// Whether a request may go to `url`.
    pub(crate) fn permits(&self, url: &Url) -> bool {
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return false,
        };
        let plain = url.username().is_empty() && url.password().is_none();
        plain
            && (url.scheme() == "https"
                || (url.scheme() == "http" && loopback && self.allow_http_on_loopback))
    }

    /// A request that is built already. Whether the answer is JSON is left to the caller ([`json`]).
    pub(crate) async fn request(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| HttpFailure::NotAllowed)?;
        let (parts, body) = request.into_parts();
        let request = self
            .client
            .request(parts.method, url.clone())
            .headers(parts.headers)
            .body(body);
        self.send(&url, request).await
    }

    /// A JSON document, with a bearer token if one is needed.
    pub(crate) async fn get_json<T: DeserializeOwned>(
        &self,
        url: &Url,
        bearer: Option<&SecretString>,
    ) -> Result<T, HttpFailure> {
        let mut request = self.client.get(url.clone()).header(ACCEPT, JSON);
        if let Some(token) = bearer {
            request = request.bearer_auth(token.expose_secret());
        }
        json(&self.send(url, request).await?)
    }

    /// A JSON document in answer to another one, with a bearer token.
    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        url: &Url,
        body: &impl Serialize,
        bearer: &SecretString,
    ) -> Result<T, HttpFailure> {
        let request = self.client.post(url.clone()).header(ACCEPT, JSON);
        let request = request.bearer_auth(bearer.expose_secret()).json(body);
        json(&self.send(url, request).await?)
    }

    /// Sends, and reads the answer up to the cap. Anything but success is a failure.
    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<HttpResponse, HttpFailure> {
        if !self.permits(url) {
            return Err(HttpFailure::NotAllowed);
        }
        let response = request.send().await?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = self.read_capped(response).await;
        if !status.is_success() {
            return Err(HttpFailure::Refused {
                status,
                retry_after: self.retry_after(&headers),
                answer: ErrorAnswer::from_body(&body.unwrap_or_default()),
            });
        }
        let mut answer = HttpResponse::new(body?);
        *answer.status_mut() = StatusCode::OK;
        *answer.headers_mut() = headers;
        Ok(answer)
    }

    async fn read_capped(&self, mut response: Response) -> Result<Vec<u8>, HttpFailure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > self.max_response {
                return Err(HttpFailure::NotJson);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// `Retry-After`, in seconds or as a date (RFC 9110 section 10.2.3).
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
        (at.to_utc() - self.clock.now()).to_std().ok()
    }
}

/// A form for a token endpoint.
pub(crate) fn form(url: &Url, fields: &[(&str, &str)]) -> Result<HttpRequest, HttpFailure> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    Request::post(url.as_str())
        .header(ACCEPT, JSON)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.finish().into_bytes())
        .map_err(|_| HttpFailure::NotAllowed)
}

/// What an answer holds.
pub(crate) fn json<T: DeserializeOwned>(answer: &HttpResponse) -> Result<T, HttpFailure> {
    require_json(answer.headers())?;
    serde_json::from_slice(answer.body()).map_err(|_| HttpFailure::NotJson)
}

pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), HttpFailure> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(JSON) {
        Ok(())
    } else {
        Err(HttpFailure::NotJson)
    }
}

#[cfg(test)]
mod tests {
    use postroom_retry::ManualClock;

    use super::*;

    fn http(allow_http_on_loopback: bool) -> IdentityHttp {
        let clock = ManualClock::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        IdentityHttp::new(
            &HttpSettings {
                allow_http_on_loopback,
                ..HttpSettings::default()
            },
            Arc::new(clock),
        )
        .unwrap()
    }

    #[test]
    fn only_https_and_allowed_loopback_addresses_are_reached() {
        let (strict, local) = (http(false), http(true));
        let cases = [
            ("https://login.example.org/token", true, true),
            ("http://login.example.org/token", false, false),
            ("http://localhost:8080/token", false, true),
            ("http://127.0.0.1:8080/token", false, true),
            ("http://[::1]:8080/token", false, true),
            ("http://localhost.example.org/token", false, false),
            ("https://user:secret@login.example.org/", false, false),
            ("file:///etc/passwd", false, false),
        ];
        for (url, by_default, with_loopback) in cases {
            let url = Url::parse(url).unwrap();
            assert_eq!(strict.permits(&url), by_default, "{url}");
            assert_eq!(local.permits(&url), with_loopback, "{url}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let http = http(false);
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            http.retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(read("120"), Some(120));
        assert_eq!(
            read("Fri, 15 Jan 2027 08:01:00 GMT"),
            Some(60),
            "1,800,000,000 is 08:00:00 of that day"
        );
        assert_eq!(read("Fri, 15 Jan 2027 07:00:00 GMT"), None, "over already");
        assert_eq!(read("-1"), None);
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_ca_file_that_is_none_is_named() {
        for path in [
            "/nowhere/ca.pem",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ] {
            let settings = HttpSettings {
                extra_ca: Some(path.into()),
                ..HttpSettings::default()
            };
            let error = IdentityHttp::new(&settings, Arc::new(postroom_retry::SystemClock)).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
