//! Errors of the API: RFC 9457 problem details, each with a stable code and a plain sentence.

use std::borrow::Cow;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use postroom_store::StoreError;
use serde::Serialize;
use serde_json::{Map, Value};

/// What is wrong with one field of a request, or with the server that the field names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field as the API names it, such as `imap.host`.
    pub field: String,
    /// Stable snake_case code.
    pub code: Cow<'static, str>,
    /// A sentence: what is wrong, and what to do.
    pub detail: String,
    /// A page of the provider that helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help_url: Option<String>,
}

impl FieldProblem {
    /// A problem without a help page.
    pub fn new(
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            detail: detail.into(),
            help_url: None,
        }
    }
}

/// An error as the API answers it. Boxed: it travels in every `Result`.
#[derive(Debug, Clone)]
pub struct Problem(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    field: Option<String>,
    errors: Vec<FieldProblem>,
    more: Map<String, Value>,
}

impl Problem {
    /// A problem with a stable snake_case code and a sentence that names the cause and the next step.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self(Box::new(Details {
            status,
            code: code.into(),
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            more: Map::new(),
        }))
    }

    /// A request that does not fit: 400.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// A request that contradicts what is: 409.
    pub fn conflict(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Something that is not there, or belongs to somebody else: the same answer for both.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("{}_not_found", what.replace(' ', "_")),
            format!("There is no {what} {id} that this key may see. Check the id, or list what there is."),
        )
    }

    /// Fields that do not fit, or servers that refused: 422, each problem beside its field.
    pub fn fields(problems: Vec<FieldProblem>) -> Self {
        let first = problems.first();
        let code = first.map_or(Cow::Borrowed("invalid_request"), |problem| problem.code.clone());
        let detail = problems
            .iter()
            .map(|problem| problem.detail.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        problem.0.field = problems.first().map(|problem| problem.field.clone());
        problem.0.errors = problems;
        problem
    }

    /// Something that is not the caller's fault; the log knows more.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Postroom could not do this because of a fault of its own. Try again; if it stays, give the operator the \
             X-Request-Id of this answer.",
        )
    }

    /// Names the field that the problem is about.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Adds a member of its own.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.more.insert(name.to_owned(), value.into());
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Each problem beside its field.
    pub fn field_problems(&self) -> &[FieldProblem] {
        &self.0.errors
    }

    fn body(&self) -> Value {
        let mut body = self.0.more.clone();
        body.insert(
            "type".into(),
            format!("urn:postroom:problem:{}", self.0.code).into(),
        );
        body.insert("title".into(), title_of(&self.0.code).into());
        body.insert("status".into(), self.0.status.as_u16().into());
        body.insert("detail".into(), self.0.detail.as_str().into());
        body.insert("code".into(), self.0.code.as_ref().into());
        if let Some(field) = &self.0.field {
            body.insert("field".into(), field.as_str().into());
        }
        if !self.0.errors.is_empty() {
            body.insert(
                "errors".into(),
                serde_json::to_value(&self.0.errors).unwrap_or_default(),
            );
        }
        Value::Object(body)
    }
}

/// `imap_password_refused` as a title: "IMAP password refused".
fn title_of(code: &str) -> String {
    let words: Vec<String> = code
        .split('_')
        .map(|word| match word {
            "imap" | "smtp" | "tls" | "api" | "id" | "json" | "url" => word.to_uppercase(),
            "oauth" => "OAuth".to_owned(),
            _ => word.to_owned(),
        })
        .collect();
    let title = words.join(" ");
    let mut letters = title.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.0.more.get("retry_after").and_then(Value::as_u64) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, id } => Self::not_found(what, &id),
            StoreError::Outdated { what, .. } => Self::conflict(
                "changed_meanwhile",
                format!(
                    "The {what} was changed by somebody else at the same moment. Read it again, then repeat."
                ),
            ),
            StoreError::AlreadyExists { what, field } => Self::conflict(
                "already_exists",
                format!("There is already a {what} with this {field}. Use that one."),
            ),
            other => {
                tracing::error!(error = %other, "A request could not be carried out");
                Self::internal()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_made_from_codes() {
        assert_eq!(title_of("imap_password_refused"), "IMAP password refused");
        assert_eq!(title_of("smtp_no_tls"), "SMTP no TLS");
        assert_eq!(title_of("account_not_found"), "Account not found");
    }

    #[test]
    fn the_first_field_leads_and_all_are_told() {
        let problem = Problem::fields(vec![
            FieldProblem::new("imap.host", "imap_unknown_host", "One."),
            FieldProblem::new("smtp.host", "smtp_unknown_host", "Two."),
        ]);
        let body = problem.body();
        assert_eq!(body["code"], "imap_unknown_host");
        assert_eq!(body["field"], "imap.host");
        assert_eq!(body["detail"], "One. Two.");
        assert_eq!(body["errors"][1]["field"], "smtp.host");
        assert_eq!(body["type"], "urn:postroom:problem:imap_unknown_host");
    }

    #[test]
    fn a_fault_of_the_store_tells_nothing_of_itself() {
        let problem = Problem::from(StoreError::Configuration("secret path /x".into()));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!problem.detail().contains("secret"));
    }
}
