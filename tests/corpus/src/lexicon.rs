//! The words of a language and how often each is used: word number r about 1/(r + 2.7) as often as the first (Zipf's law with
//! Mandelbrot's correction). Drawing a word costs two numbers, whatever the size of the lexicon (Walker's alias method).

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::language::{Language, Sounds};
use crate::random::{Purpose, Random};

static LEXICONS: LazyLock<Vec<Lexicon>> = LazyLock::new(|| {
    Language::ALL
        .iter()
        .map(|language| Lexicon::build(*language))
        .collect()
});

/// The words of one language. It does not depend on the seed of a corpus: a language is the same in all of them.
pub(crate) struct Lexicon {
    words: Vec<Box<str>>,
    /// Per word: keep it when the second draw is below the threshold, else take the alias.
    table: Vec<(u64, u32)>,
    total: u64,
}

impl Lexicon {
    pub(crate) fn of(language: Language) -> &'static Self {
        &LEXICONS[language as usize]
    }

    /// A word, as often as people use it.
    pub(crate) fn word(&self, random: &mut Random) -> &str {
        let at = random.below(self.table.len() as u64) as usize;
        let (threshold, alias) = self.table[at];
        let chosen = if random.below(self.total) < threshold {
            at
        } else {
            alias as usize
        };
        &self.words[chosen]
    }

    /// Any word but the commonest, each as likely: for names of things.
    pub(crate) fn rare_word(&self, random: &mut Random) -> &str {
        &self.words[random.between(200, 4000) as usize]
    }

    fn build(language: Language) -> Self {
        let sounds = Sounds::of(language);
        let words = words(language, sounds);
        let weights: Vec<u64> = (0..words.len() as u64)
            .map(|rank| (1 << 40) / (10 * rank + 27))
            .collect();
        let (table, total) = alias_table(&weights);
        Self { words, table, total }
    }
}

fn words(language: Language, sounds: &Sounds) -> Vec<Box<str>> {
    let mut random = Random::stream(0, Purpose::Lexicon, language as u64);
    let mut words: Vec<Box<str>> = sounds.common.split_whitespace().map(Box::from).collect();
    let mut known: HashSet<Box<str>> = words.iter().cloned().collect();
    let coin = Coin::new(language, sounds);
    while words.len() < sounds.words {
        let word = coin.word(words.len(), &mut random).into_boxed_str();
        if known.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

/// Coins new words from the pieces of a language.
struct Coin {
    language: Language,
    heads: Vec<&'static str>,
    middles: Vec<&'static str>,
    tails: Vec<&'static str>,
    endings: Vec<&'static str>,
}

impl Coin {
    fn new(language: Language, sounds: &Sounds) -> Self {
        let list = |pieces: &'static str| pieces.split_whitespace().collect();
        Self {
            language,
            heads: list(sounds.heads),
            middles: list(sounds.middles),
            tails: list(sounds.tails),
            endings: list(sounds.endings),
        }
    }

    /// A word for this place in the frequency table: common words are short.
    fn word(&self, rank: usize, random: &mut Random) -> String {
        match self.language {
            Language::Chinese => (0..random.between(2, 2 + u64::from(rank > 3000)))
                .map(|_| random.pick(&self.heads))
                .collect(),
            Language::Japanese if random.chance(300) => (0..random.between(3, 5))
                .map(|_| random.pick(&self.middles))
                .collect(),
            Language::Japanese => {
                let mut word: String = (0..2).map(|_| random.pick(&self.heads)).collect();
                if random.chance(350) {
                    word.push_str(random.pick_early(&self.endings));
                }
                word
            }
            _ => self.spelled(rank, random),
        }
    }

    fn spelled(&self, rank: usize, random: &mut Random) -> String {
        let syllables = match rank {
            0..1_000 => 1,
            1_000..4_000 => random.between(1, 2),
            4_000..16_000 => 2,
            _ => random.between(2, 3),
        };
        let mut word = String::new();
        for _ in 0..syllables {
            if !word.is_empty() || random.chance(850) {
                word.push_str(random.pick_early(&self.heads));
            }
            word.push_str(random.pick_early(&self.middles));
            if random.chance(400) {
                word.push_str(random.pick_early(&self.tails));
            }
        }
        if random.chance(300) {
            word.push_str(random.pick_early(&self.endings));
        }
        if self.language == Language::German && random.chance(300) {
            capitalised(&word)
        } else {
            word
        }
    }
}

/// The word with its first letter in upper case.
pub(crate) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Vose's construction in whole numbers: per slot the threshold below which the slot's own item is meant.
fn alias_table(weights: &[u64]) -> (Vec<(u64, u32)>, u64) {
    let (count, total) = (weights.len() as u64, weights.iter().sum::<u64>());
    let mut scaled: Vec<u64> = weights.iter().map(|weight| weight * count).collect();
    let mut table: Vec<(u64, u32)> = (0..weights.len() as u32).map(|at| (total, at)).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) =
        (0..weights.len()).partition(|at| scaled[*at] < total);
    while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
        table[poor] = (scaled[poor], rich as u32);
        scaled[rich] -= total - scaled[poor];
        if scaled[rich] < total {
            large.pop();
            small.push(rich);
        }
    }
    (table, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_drawn_as_often_as_the_law_says() {
        let lexicon = Lexicon::of(Language::English);
        let mut random = Random::stream(7, Purpose::Message, 0);
        let draws = 400_000;
        let first = (0..draws).filter(|_| lexicon.word(&mut random) == "the").count();
        let norm: f64 = (0..lexicon.words.len())
            .map(|rank| 1.0 / (rank as f64 + 2.7))
            .sum();
        let expected = f64::from(draws) / 2.7 / norm;
        assert!(
            (first as f64 / expected - 1.0).abs() < 0.05,
            "{first} draws of the first word, {expected} expected"
        );
    }
}
