//! How a command ended, and what its response code says.

use imap_proto::rfc4315::UidSetMember;
use imap_proto::{Outcome, ResponseCode, Status};

use super::server_text::ServerText;

/// How a command ended, if it ended well.
#[derive(Debug, Default)]
pub(super) struct Completion {
    pub(super) code: CompletionCode,
}

/// The response codes that callers look for.
#[derive(Debug, Default)]
pub(super) enum CompletionCode {
    #[default]
    None,
    ReadOnly,
    AppendUid(u32, Vec<u32>),
    CopyUid(u32, Vec<u32>, Vec<u32>),
}

/// A command's end that is not OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    No,
    Bad,
}

pub(super) fn ending(status: &Status, outcome: &Outcome<'_>) -> Result<Completion, (Ending, ServerText)> {
    match status {
        Status::Ok => Ok(Completion {
            code: completion_code(outcome.code.as_ref()),
        }),
        Status::No => Err((Ending::No, answer(outcome))),
        Status::Bad | Status::PreAuth | Status::Bye => Err((Ending::Bad, answer(outcome))),
    }
}

/// The code that a caller may look for, out of a tagged or an untagged OK.
pub(super) fn completion_code(code: Option<&ResponseCode<'_>>) -> CompletionCode {
    match code {
        Some(ResponseCode::ReadOnly) => CompletionCode::ReadOnly,
        Some(ResponseCode::AppendUid(validity, uids)) => CompletionCode::AppendUid(*validity, numbers(uids)),
        Some(ResponseCode::CopyUid(validity, from, to)) => {
            CompletionCode::CopyUid(*validity, numbers(from), numbers(to))
        }
        _ => CompletionCode::None,
    }
}

/// The most UIDs that a response code is spelt out for; `1:4294967295` is eight bytes to send and 16 GiB to hold.
const MAX_CODE_UIDS: usize = 100_000;

fn numbers(members: &[UidSetMember]) -> Vec<u32> {
    members
        .iter()
        .flat_map(|member| match member {
            UidSetMember::Uid(uid) => *uid..=*uid,
            UidSetMember::UidRange(range) => range.clone(),
        })
        .take(MAX_CODE_UIDS)
        .collect()
}

pub(super) fn outcome_text(outcome: &Outcome<'_>) -> String {
    outcome.information.as_deref().unwrap_or_default().to_owned()
}

/// The server's words. The parser leaves codes that it does not know in the text; of those that it knows, only the
/// ones that say why something failed are given back their name.
pub(super) fn answer(outcome: &Outcome<'_>) -> ServerText {
    let mut answer = ServerText::read(outcome.information.as_deref().unwrap_or_default());
    if answer.code.is_none() {
        answer.code = match &outcome.code {
            Some(ResponseCode::Alert) => Some("ALERT".into()),
            Some(ResponseCode::TryCreate) => Some("TRYCREATE".into()),
            Some(ResponseCode::ReadOnly) => Some("READ-ONLY".into()),
            Some(ResponseCode::Parse) => Some("PARSE".into()),
            Some(ResponseCode::BadCharset(_)) => Some("BADCHARSET".into()),
            _ => None,
        };
    }
    answer
}
