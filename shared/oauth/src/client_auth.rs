//! Proving to a token endpoint which client we are (RFC 6749 section 2.3), on every request that goes there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use oauth2::http::header::{AUTHORIZATION, HeaderValue};
use oauth2::{HttpRequest, HttpResponse};
use postroom_providers::{ClientAuth, ClientProof};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use crate::certificate::ClientCertificate;
use crate::failure::HttpFailure;
use crate::http_client::IdentityHttp;

/// What a client proves itself with, read from the operator's files.
#[derive(Debug)]
pub(crate) enum Proof {
    None,
    Secrets {
        /// The one to use first, and what takes over from it.
        values: Vec<SecretString>,
        ends_at: Option<DateTime<Utc>>,
    },
    Certificate(ClientCertificate),
}

impl Proof {
    pub(crate) fn read(proof: &ClientProof) -> Result<Self, String> {
        Ok(match proof {
            ClientProof::None => Self::None,
            ClientProof::Secrets(secrets) => Self::Secrets {
                values: secrets.iter().map(|secret| secret.value.clone()).collect(),
                // Once the next secret is there, the end of the first does no harm.
                ends_at: secrets.last().and_then(|last| last.ends_at),
            },
            ClientProof::Certificate { certificate, key } => {
                Self::Certificate(ClientCertificate::read(certificate, key)?)
            }
        })
    }

    /// From when on nothing of it is accepted any more, if that is known.
    pub(crate) fn ends_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::None => None,
            Self::Secrets { ends_at, .. } => *ends_at,
            Self::Certificate(certificate) => certificate.ends_at(),
        }
    }
}

/// A client at one provider.
#[derive(Debug)]
pub(crate) struct AuthenticatedClient {
    /// Id of the registration, for the log.
    pub(crate) registration: String,
    pub(crate) id: String,
    pub(crate) proof: Arc<Proof>,
    pub(crate) how: ClientAuth,
    /// Whom a signed proof is meant for.
    pub(crate) audience: String,
    /// Which secret was accepted last.
    pub(crate) accepted: AtomicUsize,
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl AuthenticatedClient {
    /// Sends a form that names the client, with the proof added. Where a secret is refused, the next one is tried:
    /// a refused client has changed nothing, so the same code or token can be sent once more.
    pub(crate) async fn send(
        &self,
        http: &IdentityHttp,
        request: HttpRequest,
    ) -> Result<HttpResponse, HttpFailure> {
        match &*self.proof {
            Proof::None => http.request(request).await,
            Proof::Certificate(certificate) => {
                let assertion = certificate.assertion(&self.id, &self.audience, http.clock().now())?;
                let fields = [
                    ("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion", assertion.expose_secret()),
                ];
                http.request(with_fields(&request, "", &fields)).await
            }
            Proof::Secrets { values, .. } => self.send_with_secrets(http, &request, values).await,
        }
    }

    async fn send_with_secrets(
        &self,
        http: &IdentityHttp,
        request: &HttpRequest,
        secrets: &[SecretString],
    ) -> Result<HttpResponse, HttpFailure> {
        let first = self.accepted.load(Ordering::Relaxed);
        let mut refused = None;
        for turn in 0..secrets.len() {
            let index = (first + turn) % secrets.len();
            let answer = http.request(self.with_secret(request, &secrets[index])?).await;
            match answer {
                // Of two that are refused, the one that was good so far tells more.
                Err(failure) if failure.refuses_the_client() => refused = refused.or(Some(failure)),
                Ok(answer) => {
                    self.note(first, index);
                    return Ok(answer);
                }
                Err(other) => return Err(other),
            }
        }
        Err(refused.unwrap_or(HttpFailure::NotAllowed))
    }

    fn note(&self, before: usize, now: usize) {
        if before != now {
            self.accepted.store(now, Ordering::Relaxed);
            tracing::warn!(
                registration.id = %self.registration,
                "The client secret is refused, the other one is accepted; take the refused one out of the OAuth registration"
            );
        }
    }

    fn with_secret(&self, request: &HttpRequest, secret: &SecretString) -> Result<HttpRequest, HttpFailure> {
        match self.how {
            ClientAuth::Body => Ok(with_fields(
                request,
                "",
                &[("client_secret", secret.expose_secret())],
            )),
            ClientAuth::Basic => {
                // RFC 6749 section 2.3.1 escapes both as in a form before they are put together.
                let escape =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", escape(&self.id), escape(secret.expose_secret()));
                let value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
                let mut value = value.map_err(|_| HttpFailure::NotAllowed)?;
                value.set_sensitive(true);
                let mut request = with_fields(request, "client_id", &[]);
                request.headers_mut().insert(AUTHORIZATION, value);
                Ok(request)
            }
        }
    }
}

/// The form with more fields, and without one of its own.
fn with_fields(request: &HttpRequest, without: &str, fields: &[(&str, &str)]) -> HttpRequest {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(form_urlencoded::parse(request.body()).filter(|(name, _)| name != without));
    form.extend_pairs(fields);
    let mut request = request.clone();
    *request.body_mut() = form.finish().into_bytes();
    request
}
