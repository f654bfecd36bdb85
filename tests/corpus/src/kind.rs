//! What sorts of mail there are, and which of them are large.

use crate::random::Random;

/// The sort of a message, which decides its MIME structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Plain text alone.
    Note,
    /// Plain text and HTML of the same letter.
    Alternative,
    /// HTML with much markup, from a list.
    Newsletter,
    /// A short HTML-only message from a machine.
    Notification,
    /// A letter with pictures inside its HTML.
    Related,
    /// A letter with files.
    Attachment,
    /// A letter with a table or log as a text file.
    Report,
    /// A letter with another message inside.
    Forward,
    /// A calendar invitation.
    Invitation,
}

const MIDDLE: u64 = 30_000;
const LARGE: u64 = 300_000;

impl Kind {
    /// The sort of a message of so many bytes. People answer people: answers are never newsletters.
    pub(crate) fn draw(size: u64, is_answer: bool, random: &mut Random) -> Self {
        let weights: &[(Self, u64)] = match (size, is_answer) {
            (..MIDDLE, true) => &[
                (Self::Note, 42),
                (Self::Alternative, 46),
                (Self::Related, 6),
                (Self::Attachment, 6),
            ],
            (..MIDDLE, false) => &[
                (Self::Note, 26),
                (Self::Alternative, 26),
                (Self::Newsletter, 22),
                (Self::Notification, 10),
                (Self::Related, 6),
                (Self::Attachment, 6),
                (Self::Invitation, 2),
                (Self::Forward, 2),
            ],
            (MIDDLE..LARGE, true) => &[(Self::Attachment, 60), (Self::Related, 26), (Self::Forward, 14)],
            (MIDDLE..LARGE, false) => &[
                (Self::Attachment, 30),
                (Self::Newsletter, 34),
                (Self::Related, 14),
                (Self::Report, 15),
                (Self::Forward, 7),
            ],
            (LARGE.., true) => &[(Self::Attachment, 85), (Self::Related, 15)],
            (LARGE.., false) => &[(Self::Attachment, 69), (Self::Related, 9), (Self::Report, 22)],
        };
        random.pick_weighted(weights)
    }

    /// Whether a machine sent it, to many.
    pub(crate) fn is_bulk(self) -> bool {
        matches!(self, Self::Newsletter | Self::Notification)
    }
}
