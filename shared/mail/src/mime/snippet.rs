//! The line under a subject in a list: the first words a person wrote, without the history they quoted.

/// How long a snippet is at most, in characters.
const MAX_CHARS: usize = 200;

/// The snippet of a plain text. Falls back to the quoted text if there is nothing else.
pub fn snippet_of(text: &str) -> String {
    let own = first_words(own_lines(text));
    if own.is_empty() {
        first_words(text.lines())
    } else {
        own
    }
}

/// The lines before and between quotes, up to where a forwarded or answered message begins.
fn own_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?.trim();
            if begins_history(line) {
                return None;
            }
            if line.starts_with('>') {
                continue;
            }
            // "On Monday Ann wrote:" in any language: ends with a colon, a quote follows.
            while line.ends_with(':') && lines.peek().is_some_and(|next| next.trim().is_empty()) {
                lines.next();
            }
            let introduces_quote =
                line.ends_with(':') && lines.peek().is_some_and(|next| next.trim().starts_with('>'));
            if !introduces_quote {
                return Some(line);
            }
        }
    })
}

/// Outlook's rules: `-----Original Message-----` in any language, and a long line of underscores.
fn begins_history(line: &str) -> bool {
    let dashed = line.len() > 12 && line.starts_with("-----") && line.ends_with("-----");
    let has_words = line.contains(char::is_alphabetic);
    (dashed && has_words) || (line.len() >= 20 && line.bytes().all(|byte| byte == b'_'))
}

fn first_words<'t>(lines: impl Iterator<Item = &'t str>) -> String {
    let mut snippet = String::new();
    let mut chars = 0;
    for word in lines.flat_map(str::split_whitespace) {
        let length = word.chars().count();
        if chars + length >= MAX_CHARS {
            // A text without spaces (Chinese, a long address) is cut within the word.
            let room = MAX_CHARS.saturating_sub(chars + 1);
            if chars < MAX_CHARS / 2 {
                push_word(&mut snippet, &word.chars().take(room).collect::<String>());
            }
            break;
        }
        push_word(&mut snippet, word);
        chars += length + 1;
    }
    snippet
}

fn push_word(snippet: &mut String, word: &str) {
    if !snippet.is_empty() {
        snippet.push(' ');
    }
    snippet.extend(word.chars().filter(|c| !c.is_control()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_history_is_left_out() {
        assert_eq!(
            snippet_of("Yes,\r\n  please.\r\n\r\nOn Monday Ann wrote:\r\n\r\n> Shall we?\r\n> Ann\r\n"),
            "Yes, please."
        );
        assert_eq!(snippet_of("> Shall we?\nYes.\n> When?\nToday."), "Yes. Today.");
        assert_eq!(
            snippet_of("Ja.\n-----Ursprüngliche Nachricht-----\nVon: Ann"),
            "Ja."
        );
        assert_eq!(
            snippet_of("Ok\n________________________________\nFrom: Ann"),
            "Ok"
        );
        assert_eq!(snippet_of("Topics:\n\nfirst"), "Topics: first");
    }

    #[test]
    fn only_history_is_better_than_nothing() {
        assert_eq!(snippet_of("> Shall we?"), "> Shall we?");
        assert_eq!(snippet_of("  \n"), "");
    }

    #[test]
    fn long_texts_are_cut() {
        let words = snippet_of(&"word ".repeat(500));
        assert!(
            words.chars().count() <= MAX_CHARS && words.ends_with("word"),
            "{words}"
        );
        assert_eq!(snippet_of(&"長".repeat(500)).chars().count(), MAX_CHARS - 1);
    }
}
