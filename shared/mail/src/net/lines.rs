//! Reading a line at a time, with a limit, before a protocol's own reader takes over.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::MailStream;

/// Reads CRLF lines from a stream that nobody trusts yet, and hands the stream on together with whatever was read
/// beyond the last line.
#[derive(Debug)]
pub struct Lines {
    stream: MailStream,
    buffer: Vec<u8>,
}

/// A line that did not come.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The stream ended.
    #[error("the connection was closed")]
    Closed,
    /// The line is longer than allowed.
    #[error("a line has more than {0} bytes")]
    TooLong(usize),
    /// No complete line within the time allowed.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

impl Lines {
    /// Reads lines from `stream`.
    pub fn new(stream: MailStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The stream, to write to.
    pub fn stream(&mut self) -> &mut MailStream {
        &mut self.stream
    }

    /// The next line without its line end, at most `limit` bytes, within `time_out` as a whole.
    ///
    /// # Errors
    /// See [`LineError`]; after an error the stream is of no more use.
    pub async fn next(&mut self, limit: usize, time_out: Duration) -> Result<Vec<u8>, LineError> {
        match tokio::time::timeout(time_out, self.read_line(limit)).await {
            Ok(line) => line,
            Err(_) => Err(LineError::TimedOut(time_out)),
        }
    }

    async fn read_line(&mut self, limit: usize) -> Result<Vec<u8>, LineError> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(searched + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(line.trim_ascii_end().len());
                return if line.len() > limit {
                    Err(LineError::TooLong(limit))
                } else {
                    Ok(line)
                };
            }
            searched = self.buffer.len();
            if searched > limit {
                return Err(LineError::TooLong(limit));
            }
            let mut chunk = [0; 512];
            let count = self.stream.read(&mut chunk).await?;
            if count == 0 {
                return Err(LineError::Closed);
            }
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }

    /// The stream, and what was read beyond the last line.
    pub fn into_parts(self) -> (MailStream, Vec<u8>) {
        (self.stream, self.buffer)
    }
}
