//! The languages people of the corpus write in: which charsets their mail programs use, and what their words are made of.

mod sounds;

use crate::charset::Charset;
use crate::random::{Purpose, Random};

pub(crate) use sounds::Sounds;

/// A language with its own lexicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
    French,
    Spanish,
    Polish,
    Russian,
    Japanese,
    Chinese,
}

/// How many of a hundred conversations are held in each language.
const SHARES: [(Language, u64); 8] = [
    (Language::English, 50),
    (Language::German, 14),
    (Language::French, 9),
    (Language::Spanish, 8),
    (Language::Polish, 5),
    (Language::Russian, 6),
    (Language::Japanese, 4),
    (Language::Chinese, 4),
];

impl Language {
    pub(crate) const ALL: [Self; 8] = [
        Self::English,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Polish,
        Self::Russian,
        Self::Japanese,
        Self::Chinese,
    ];

    /// The language of a conversation, which all its messages share; `root` is its first message.
    pub(crate) fn of_conversation(seed: u64, root: u64) -> Self {
        Random::stream(seed, Purpose::Conversation, root).pick_weighted(&SHARES)
    }

    /// The charsets that mail programs of its speakers choose, with weights. Text that a charset cannot hold goes out as UTF-8.
    pub(crate) fn charsets(self) -> &'static [(Charset, u64)] {
        match self {
            Self::English => &[
                (Charset::Utf8, 55),
                (Charset::UsAscii, 20),
                (Charset::Iso8859_1, 12),
                (Charset::Windows1252, 13),
            ],
            Self::German | Self::French | Self::Spanish => &[
                (Charset::Utf8, 50),
                (Charset::Iso8859_1, 22),
                (Charset::Iso8859_15, 13),
                (Charset::Windows1252, 15),
            ],
            Self::Polish => &[(Charset::Utf8, 60), (Charset::Iso8859_2, 40)],
            Self::Russian => &[
                (Charset::Utf8, 45),
                (Charset::Koi8R, 40),
                (Charset::Windows1251, 15),
            ],
            Self::Japanese => &[
                (Charset::Utf8, 35),
                (Charset::Iso2022Jp, 50),
                (Charset::ShiftJis, 15),
            ],
            Self::Chinese => &[(Charset::Utf8, 45), (Charset::Gb18030, 55)],
        }
    }

    /// About how many bytes on the wire a hundred characters of text become, charset and transfer encoding together.
    pub(crate) fn wire_bytes_per_hundred_characters(self) -> u64 {
        match self {
            Self::English => 102,
            Self::German | Self::French | Self::Spanish | Self::Polish => 112,
            Self::Russian => 230,
            Self::Japanese | Self::Chinese => 320,
        }
    }

    /// Whether words are set apart by spaces.
    pub(crate) fn has_spaces(self) -> bool {
        !matches!(self, Self::Japanese | Self::Chinese)
    }
}
