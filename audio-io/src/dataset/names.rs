//! What a file's name says: which stem it holds, in the words of recording programs, separation tools and people.
//!
//! The words stand in `stem_names.json`, the only place that knows them. A name is cut into words wherever letters, digits
//! and signs meet; the longest phrase of the table that fits counts, so that a bass drum is no bass. Names that speak of
//! two stems are never guessed. What all files of a folder have in common is the title of the song, and says nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use tributary_dsp::Stem;

/// Most words of a phrase in the table.
const MOST_WORDS: usize = 3;

/// What a file is, going by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// One stem, or a part of it.
    Stem(Stem),
    /// Everything but this stem: `no_vocals`, `accompaniment`.
    AllBut(Stem),
    /// The human-made mix.
    Mixture,
    /// Several stems are named, in this order.
    Several(Vec<Stem>),
    /// No word is known.
    Unknown,
}

/// A side of a stereo pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Left.
    Left,
    /// Right.
    Right,
}

/// A name, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What the file is.
    pub meaning: Meaning,
    /// Whether the name is that of the stem and nothing else: `vocals`, `MySong - Vocals (Stereo)`; not `lead vocals`.
    pub exact: bool,
    /// Whether there is nothing in the name that the table does not know.
    pub plain: bool,
    /// Whether a number tells the file from others.
    pub numbered: bool,
    /// The side, when the name is that of half a pair.
    pub side: Option<Side>,
    /// The same for both halves of a pair: all words but numbers and the side.
    pub without_side: String,
}

/// The table as written in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vocals: Vec<String>,
    bass: Vec<String>,
    drums: Vec<String>,
    other: Vec<String>,
    all_but_vocals: Vec<String>,
    mixture: Vec<String>,
    not: Vec<String>,
    left: Vec<String>,
    right: Vec<String>,
    plain: Vec<String>,
}

/// What a word or phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Stem(Stem),
    AllBut(Stem),
    Mixture,
    Not,
    Side(Side),
    Plain,
}

static TABLE: LazyLock<BTreeMap<String, Word>> = LazyLock::new(|| {
    let file: File =
        serde_json::from_str(include_str!("stem_names.json")).expect("the compiled-in table is valid");
    let columns = [
        (Word::Stem(Stem::Vocals), file.vocals),
        (Word::Stem(Stem::Bass), file.bass),
        (Word::Stem(Stem::Drums), file.drums),
        (Word::Stem(Stem::Other), file.other),
        (Word::AllBut(Stem::Vocals), file.all_but_vocals),
        (Word::Mixture, file.mixture),
        (Word::Not, file.not),
        (Word::Side(Side::Left), file.left),
        (Word::Side(Side::Right), file.right),
        (Word::Plain, file.plain),
    ];
    columns.into_iter().flat_map(|(word, names)| names.into_iter().map(move |name| (name, word))).collect()
});

/// Reads the names of all audio files of one folder, without their endings.
pub fn read_all(names: &[&str]) -> Vec<Reading> {
    let words: Vec<Vec<String>> = names.iter().map(|name| words_of(name)).collect();
    let (head, tail) = common_ends(&words);
    let own: Vec<Reading> = words.iter().map(|words| read_words(&words[head..words.len() - tail])).collect();
    // Where only the common words say something, as in "vocals_L" and "vocals_R", they are no title.
    let has_title = own.iter().any(|reading| reading.meaning != Meaning::Unknown);
    let whole = words.iter().map(|words| read_words(words));
    let read = if has_title { own } else { whole.collect() };
    names.iter().zip(read).map(|(name, reading)| settle(name, reading)).collect()
}

/// What stands in brackets, or behind the last dash, is believed when a name contradicts itself.
fn settle(name: &str, whole: Reading) -> Reading {
    if !matches!(whole.meaning, Meaning::Several(_)) {
        return whole;
    }
    let bracketed = name.rsplit_once(['(', '[']).and_then(|(_, rest)| rest.split([')', ']']).next());
    let last = name.rsplit_once(" - ").map(|(_, last)| last);
    let parts = [bracketed, last].into_iter().flatten().map(|part| read_words(&words_of(part)));
    let believed = parts.into_iter().find(|part| part.plain && matches!(part.meaning, Meaning::Stem(_)));
    Reading { meaning: believed.map_or(whole.meaning, |part| part.meaning), exact: false, ..whole }
}

fn read_words(words: &[String]) -> Reading {
    let mut reading = Reading {
        meaning: Meaning::Unknown,
        exact: false,
        plain: true,
        numbered: false,
        side: None,
        without_side: String::new(),
    };
    let (mut stems, mut all_but, mut is_mixture) = (Vec::new(), Vec::new(), false);
    let (mut negated, mut own_name, mut at) = (false, true, 0);
    while at < words.len() {
        let (word, count) = longest_phrase(&words[at..]);
        let text = words[at..at + count].join(" ");
        at += count;
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        match word {
            Some(Word::Stem(stem)) if negated => all_but.push(stem),
            Some(Word::Stem(stem)) => {
                own_name &= text == stem.name() && stems.is_empty();
                if !stems.contains(&stem) {
                    stems.push(stem);
                }
            }
            Some(Word::AllBut(stem)) => all_but.push(stem),
            Some(Word::Mixture) => is_mixture = true,
            Some(Word::Side(side)) => reading.side = Some(side),
            Some(Word::Not | Word::Plain) => {}
            None if is_number => reading.numbered = true,
            None => reading.plain = false,
        }
        negated = word == Some(Word::Not);
        if !is_number && !matches!(word, Some(Word::Side(_))) {
            reading.without_side = reading.without_side + &text + " ";
        }
    }
    reading.meaning = match (&stems[..], &all_but[..]) {
        ([], [stem]) => Meaning::AllBut(*stem),
        // A title or a remark beside it, such as "remix", makes a mix something else.
        ([], []) if is_mixture && reading.plain => Meaning::Mixture,
        ([], []) => Meaning::Unknown,
        ([stem], []) => Meaning::Stem(*stem),
        // "Instrumental (no drums)" and the like: nobody knows what is left.
        _ => Meaning::Several(stems),
    };
    reading.exact = own_name && reading.plain && !is_mixture && matches!(reading.meaning, Meaning::Stem(_));
    reading
}

/// The longest phrase of the table that these words begin with, and how many words it has; one word where none fits.
fn longest_phrase(words: &[String]) -> (Option<Word>, usize) {
    let lengths = (1..=MOST_WORDS.min(words.len())).rev();
    let mut found = lengths.filter_map(|count| Some((TABLE.get(&words[..count].join(" ")).copied()?, count)));
    found.next().map_or((None, 1), |(word, count)| (Some(word), count))
}

/// How many words all names begin with, and how many they end with, leaving each a word of its own.
fn common_ends(names: &[Vec<String>]) -> (usize, usize) {
    let [first, others @ ..] = names else { return (0, 0) };
    let shortest = names.iter().map(Vec::len).min().unwrap_or(0);
    if others.is_empty() || shortest == 0 {
        return (0, 0);
    }
    let same = |at: usize| others.iter().all(|other| other[at] == first[at]);
    let head = (0..shortest - 1).take_while(|&at| same(at)).count();
    let from_end = |words: &[String], at: usize| words[words.len() - 1 - at].clone();
    let same = |at: usize| others.iter().all(|other| from_end(other, at) == from_end(first, at));
    let tail = (0..shortest - 1 - head).take_while(|&at| same(at)).count();
    (head, tail)
}

/// Words in lower case, cut at signs, between letters and digits, and before a capital within a word.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars().filter(|c| !('\u{300}'..='\u{36f}').contains(c)) {
        let cut = before.is_lowercase() && c.is_uppercase()
            || before.is_alphabetic() && c.is_numeric()
            || before.is_numeric() && c.is_alphabetic();
        if cut || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase().map(without_accent));
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The letter that an accented one is usually typed as. Some systems store the accent apart; it is left out before.
fn without_accent(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        other => other,
    }
}
