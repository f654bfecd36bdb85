//! The `oauth2` crate's way to [`IdentityHttp`].

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use oauth2::http::Response;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::client_auth::AuthenticatedClient;
use crate::failure::HttpFailure;
use crate::http_client::{IdentityHttp, require_json};

type Answer<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFailure>> + Send + 'c>>;

/// The `oauth2` crate builds the requests; they are proved and sent by our rules. Failures are sorted out there, before
/// the crate would keep the body of an answer in its error.
pub(crate) struct OAuthTransport<'h> {
    pub(crate) http: &'h IdentityHttp,
    pub(crate) client: &'h AuthenticatedClient,
}

impl OAuthTransport<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let answer = self.client.send(self.http, request).await?;
        require_json(answer.headers())?;
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for OAuthTransport<'_> {
    type Error = HttpFailure;
    type Future = Answer<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// While it waits, the `oauth2` crate wants to read refusals itself ("not yet", "slower"); any failure it takes for
/// a lost connection and waits on. So a refusal in OAuth's form becomes an answer again, reduced to its `error`; what it
/// said besides is kept here.
pub(crate) struct DeviceTransport<'h> {
    pub(crate) inner: OAuthTransport<'h>,
    pub(crate) refusal: Mutex<Option<HttpFailure>>,
}

impl DeviceTransport<'_> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let failure = match self.inner.send(request).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let HttpFailure::Refused { status, answer, .. } = &failure else {
            return Err(failure);
        };
        if !status.is_client_error() || answer.error.is_none() {
            return Err(failure);
        }
        let body = serde_json::json!({ "error": answer.error });
        let mut refusal = Response::new(body.to_string().into_bytes());
        *refusal.status_mut() = *status;
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        Ok(refusal)
    }
}

impl<'c> AsyncHttpClient<'c> for DeviceTransport<'_> {
    type Error = HttpFailure;
    type Future = Answer<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
