//! The `oauth2` crate's way to [`IdentityHttp`].

use std::pin::Pin;

use oauth2::http::Response;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::failure::HttpFailure;
use crate::http_client::IdentityHttp;

type Answer<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFailure>> + Send + 'c>>;

/// The `oauth2` crate builds the requests; they are sent by our rules. Failures are sorted out there, before the
/// crate would keep the body of an answer in its error.
pub(crate) struct OAuthTransport<'h>(pub(crate) &'h IdentityHttp);

impl<'c> AsyncHttpClient<'c> for OAuthTransport<'_> {
    type Error = HttpFailure;
    type Future = Answer<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.forward(request))
    }
}

/// While it waits, the `oauth2` crate wants to read refusals itself ("not yet", "slower"); any failure it takes for
/// a lost connection and waits on. So a refusal in OAuth's form becomes an answer again, reduced to its `error`.
pub(crate) struct DeviceTransport<'h>(pub(crate) &'h IdentityHttp);

impl<'c> AsyncHttpClient<'c> for DeviceTransport<'_> {
    type Error = HttpFailure;
    type Future = Answer<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            match self.0.forward(request).await {
                Err(HttpFailure::Refused { status, answer, .. })
                    if status.is_client_error() && answer.error.is_some() =>
                {
                    let mut refusal = Response::new(
                        serde_json::json!({ "error": answer.error })
                            .to_string()
                            .into_bytes(),
                    );
                    *refusal.status_mut() = status;
                    Ok(refusal)
                }
                other => other,
            }
        })
    }
}
