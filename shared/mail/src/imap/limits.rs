//! How much a server may say, and how long it may take.

use std::time::Duration;

/// What one IMAP session may cost. A server that goes beyond a limit loses this session, nothing else.
#[derive(Clone, Copy, Debug)]
pub struct ImapLimits {
    /// The longest response outside its literals, in bytes.
    pub line: usize,
    /// The largest literal, in bytes. Bodies above it are fetched in pieces.
    pub literal: u32,
    /// The most opening parentheses in one response; nesting cannot be deeper than that.
    pub parentheses: u32,
    /// The most bytes in answer to one command, bodies that were asked for not counted.
    pub answer: u64,
    /// How long one response, or one write, may take.
    pub response_time: Duration,
    /// How long the final answer to an APPEND, COPY, MOVE, SELECT or SEARCH may take: a server may have to walk a
    /// large folder first.
    pub slow_response_time: Duration,
}

impl Default for ImapLimits {
    fn default() -> Self {
        Self {
            line: 256 * 1024,
            literal: 32 * 1024 * 1024,
            parentheses: 128,
            answer: 64 * 1024 * 1024,
            response_time: Duration::from_secs(60),
            slow_response_time: Duration::from_secs(180),
        }
    }
}
