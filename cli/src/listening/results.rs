//! Results as listeners send them: files from strangers, checked field by field before anything is computed.
//!
//! A file that cannot be used never stops the others; it is named in the report with its [`Problem`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tributary_audio_io::dataset::file_name;

use super::key::{self, Key};

const FORMAT: &str = "tributary-listen";
const VERSION: u32 = 1;
/// A result of the largest possible test stays below.
const MAX_FILE_BYTES: u64 = 16 << 20;
const MAX_PAGES: usize = 2000;
const MAX_SONGS: usize = 1000;
const MAX_MIXES: usize = 64;
const MAX_NAME_CHARS: usize = 4100;
const MAX_LISTENER_CHARS: usize = 64;
/// No page takes longer than a week.
const MAX_SECONDS: f64 = 604_800.0;

/// One listener's answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Answers {
    format: String,
    version: u32,
    test: TestReference,
    /// A random number in hexadecimal.
    pub listener: String,
    /// Answers by question.
    #[serde(default)]
    pub questionnaire: BTreeMap<String, serde_json::Value>,
    /// What the sound check found.
    #[serde(default)]
    pub check: Option<Check>,
    /// A last word.
    #[serde(default)]
    pub comment: String,
    /// Pages in the order they were shown.
    pub pages: Vec<Page>,
}

#[derive(Debug, Clone, Deserialize)]
struct TestReference {
    id: String,
    key: String,
}

/// Outcome of the sound check.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Check {
    /// Sides named rightly.
    pub sides_right: u32,
    /// Sides asked for.
    pub sides: u32,
    /// Soft tones found: hardly possible over loudspeakers.
    pub tones_right: u32,
    /// Tone tasks.
    pub tones: u32,
}

/// One page's ratings.
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// The song's identifier.
    pub song: String,
    /// The attribute's identifier.
    pub attribute: String,
    /// Whether this is the second time.
    #[serde(default)]
    pub repeat: bool,
    /// Mixes in the order of their handles.
    pub order: Vec<String>,
    /// 0..=100 by mix; a mix that is not rated is absent.
    pub ratings: BTreeMap<String, f64>,
    /// Seconds by mix.
    #[serde(default)]
    pub heard_s: BTreeMap<String, f64>,
    /// Time spent on the page.
    #[serde(default)]
    pub seconds: f64,
    /// A remark.
    #[serde(default)]
    pub comment: String,
}

/// Why a file is not part of the analysis.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The system's reason.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Larger than any result.
    #[error("has more than {} MB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    /// Not JSON, or not a result's JSON.
    #[error("is not a result of a listening test: {0}")]
    NotAResult(String),
    /// From another version of the page.
    #[error("has version {0} of the format; {VERSION} is read")]
    Version(u32),
    /// A value that the page never writes.
    #[error("holds something that the page never writes: {0}")]
    Implausible(String),
    /// Of another test.
    #[error("belongs to another test ({0})")]
    OtherTest(String),
    /// The listener is already there.
    #[error("is a second result of listener {listener}, after {first}")]
    Doubled {
        /// The listener.
        listener: String,
        /// The file that counts.
        first: String,
    },
}

/// A file that is not part of the analysis.
#[derive(Debug, Clone, Serialize)]
pub struct Rejected {
    /// Its name without folders.
    pub file: String,
    /// Why, as a sentence's end.
    pub reason: String,
}

/// All usable results of one test.
#[derive(Debug)]
pub struct Results {
    /// The test's identity.
    pub test: String,
    /// Its names.
    pub key: Key,
    /// One entry per listener.
    pub listeners: Vec<Answers>,
    /// All other files.
    pub rejected: Vec<Rejected>,
}

/// A file that is understood: answers and the names they come with.
type Read = Result<(Answers, Key), Problem>;

/// Reads results. Without `test` the test with the most files is analyzed.
///
/// # Errors
/// Not one file is usable; the sentence says why the first is not.
pub fn read_all(paths: &[PathBuf], test: Option<&str>) -> Result<Results> {
    let read: Vec<(String, Read)> = paths.iter().map(|path| (file_name(path), read_one(path))).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (answers, _) in read.iter().filter_map(|(_, one)| one.as_ref().ok()) {
        *counts.entry(&answers.test.id).or_default() += 1;
    }
    let largest = || counts.iter().max_by_key(|(_, count)| **count).map(|(id, _)| (*id).to_owned());
    let Some(id) = test.map(str::to_owned).or_else(largest) else {
        let Some((file, Err(problem))) = read.first() else { bail!("there are no results") };
        bail!("no result can be used; {file} {problem}");
    };
    let mut results: Option<Results> = None;
    let mut rejected = Vec::new();
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (file, one) in read {
        let accept = || {
            let (answers, key) = one?;
            if answers.test.id != id {
                return Err(Problem::OtherTest(answers.test.id));
            }
            if let Some(first) = files.get(&answers.listener) {
                return Err(Problem::Doubled { listener: answers.listener, first: first.clone() });
            }
            let results = results.get_or_insert_with(|| Results {
                test: id.clone(),
                key: key.clone(),
                listeners: Vec::new(),
                rejected: Vec::new(),
            });
            if key != results.key {
                return Err(Problem::Implausible("names that differ from those of the same test".into()));
            }
            files.insert(answers.listener.clone(), file.clone());
            results.listeners.push(answers);
            Ok(())
        };
        if let Err(problem) = accept() {
            rejected.push(Rejected { file, reason: problem.to_string() });
        }
    }
    let Some(results) = results else { bail!("no result belongs to the test {id}") };
    Ok(Results { rejected, ..results })
}

fn read_one(path: &Path) -> Result<(Answers, Key), Problem> {
    let unreadable = |error: std::io::Error| Problem::Unreadable(error.to_string());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // One byte more than allowed tells a file that is too long, whatever its metadata say.
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Problem::TooLarge);
    }
    parse(&text)
}

fn parse(text: &str) -> Result<(Answers, Key), Problem> {
    let answers: Answers =
        serde_json::from_str(text).map_err(|error| Problem::NotAResult(error.to_string()))?;
    if answers.format != FORMAT {
        return Err(Problem::NotAResult("its format has another name".into()));
    }
    if answers.version != VERSION {
        return Err(Problem::Version(answers.version));
    }
    let key = Key::decode(&answers.test.key).ok_or_else(|| implausible("a key that cannot be decoded"))?;
    check_key(&key)?;
    check_answers(&answers, &key)?;
    Ok((answers, key))
}

fn implausible(what: impl Into<String>) -> Problem {
    Problem::Implausible(what.into())
}

/// The key comes with the file and is as little to be trusted.
fn check_key(key: &Key) -> Result<(), Problem> {
    let names =
        key.attributes.iter().chain(&key.questions).chain(key.songs.iter().flat_map(|song| &song.mixes));
    let long = |text: &str| text.chars().count() > MAX_NAME_CHARS;
    if names.into_iter().any(|named| long(&named.name) || long(&named.id)) || long(&key.title) {
        return Err(implausible("an overlong name"));
    }
    let mixes_fit = key.songs.iter().all(|song| (2..=MAX_MIXES).contains(&song.mixes.len()));
    if !(1..=MAX_SONGS).contains(&key.songs.len())
        || key.attributes.is_empty()
        || key.attributes.len() > MAX_MIXES
        || !mixes_fit
    {
        return Err(implausible("a key without songs, mixes or attributes, or with too many"));
    }
    if !key.minimum_reliability.is_finite() {
        return Err(implausible("a key without a limit of reliability"));
    }
    Ok(())
}

fn check_answers(answers: &Answers, key: &Key) -> Result<(), Problem> {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if answers.listener.is_empty() || answers.listener.len() > MAX_LISTENER_CHARS || !plain(&answers.listener)
    {
        return Err(implausible("a listener without a proper number"));
    }
    if answers.test.id.len() > MAX_LISTENER_CHARS || !plain(&answers.test.id) {
        return Err(implausible("a test without a proper number"));
    }
    if answers.pages.len() > MAX_PAGES {
        return Err(implausible("too many pages"));
    }
    let mut seen = BTreeSet::new();
    for (number, page) in answers.pages.iter().enumerate() {
        check_page(page, key).map_err(|what| implausible(format!("page {} has {what}", number + 1)))?;
        if !seen.insert((&page.song, &page.attribute, page.repeat)) {
            return Err(implausible(format!("page {} is there twice", number + 1)));
        }
    }
    Ok(())
}

fn check_page(page: &Page, key: &Key) -> Result<(), &'static str> {
    let song = key.songs.iter().find(|song| song.id == page.song).ok_or("an unknown song")?;
    if !key.attributes.iter().any(|attribute| attribute.id == page.attribute) {
        return Err("an unknown attribute");
    }
    let known: BTreeSet<&str> = song.mixes.iter().map(|mix| mix.id.as_str()).collect();
    let order: BTreeSet<&str> = page.order.iter().map(String::as_str).collect();
    if order != known || page.order.len() != known.len() {
        return Err("other mixes than its song");
    }
    if page.ratings.keys().chain(page.heard_s.keys()).any(|mix| !known.contains(mix.as_str())) {
        return Err("a rating of an unknown mix");
    }
    // A comparison with NaN is false, so that it is refused too.
    if !page.ratings.values().all(|rating| (0.0..=100.0).contains(rating)) {
        return Err("a rating outside of 0 to 100");
    }
    if !page.heard_s.values().chain([&page.seconds]).all(|seconds| (0.0..=MAX_SECONDS).contains(seconds)) {
        return Err("an impossible time");
    }
    if page.comment.chars().count() > MAX_NAME_CHARS {
        return Err("an overlong comment");
    }
    Ok(())
}

impl Page {
    /// Whether every mix is rated.
    pub fn is_complete(&self) -> bool {
        self.order.iter().all(|mix| self.ratings.contains_key(mix))
    }
}

/// Bounds of an encoded key are part of what a file may hold.
const _: () = assert!((key::MAX_KEY_BYTES as u64) < MAX_FILE_BYTES);

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::listening::key::{Named, SongKey};
    use serde_json::{Value, json};

    fn named(id: &str, name: &str) -> Named {
        Named { id: id.into(), name: name.into() }
    }

    /// A test of two songs, two attributes and three systems.
    pub fn key() -> Key {
        let mixes = || vec![named("m0", "good"), named("m1", "fair"), named("m2", "bad")];
        Key {
            title: "Test".into(),
            minimum_reliability: 0.25,
            repeats: 1,
            attributes: vec![named("a0", "Clarity"), named("a1", "Excitement")],
            songs: vec![
                SongKey { id: "s0".into(), name: "One".into(), mixes: mixes() },
                SongKey { id: "s1".into(), name: "Two".into(), mixes: mixes() },
            ],
            questions: vec![named("q0", "Years of mixing")],
        }
    }

    /// A complete result; `rate(song, attribute, mix, repeat)` is asked for each rating.
    pub fn result(listener: &str, rate: impl Fn(usize, usize, usize, bool) -> f64) -> Value {
        let mut pages = Vec::new();
        for (song, attribute, repeat) in
            [(0, 0, false), (0, 1, false), (1, 0, false), (1, 1, false), (0, 0, true)]
        {
            let ratings: BTreeMap<String, f64> =
                (0..3).map(|mix| (format!("m{mix}"), rate(song, attribute, mix, repeat))).collect();
            pages.push(json!({
                "song": format!("s{song}"), "attribute": format!("a{attribute}"), "repeat": repeat,
                "order": ["m2", "m0", "m1"], "ratings": ratings, "heard_s": {"m0": 3.5}, "seconds": 60.0, "comment": "",
            }));
        }
        json!({
            "format": FORMAT, "version": VERSION,
            "test": { "id": "abc123", "key": key().encoded().expect("plain data") },
            "listener": listener, "started": "2026-01-01T10:00:00Z", "finished": "2026-01-01T10:20:00Z",
            "questionnaire": { "q0": "12" },
            "check": { "sides_right": 2, "sides": 2, "tones_right": 3, "tones": 3 }, "comment": "", "pages": pages,
        })
    }

    #[test]
    fn a_result_of_the_page_is_read() {
        let (answers, key) = parse(&result("aa", |_, _, mix, _| mix as f64).to_string()).expect("valid");
        assert_eq!(
            (answers.pages.len(), key.systems()),
            (5, vec!["bad".into(), "fair".into(), "good".into()])
        );
        assert!(answers.pages.iter().all(Page::is_complete));
    }

    #[test]
    fn what_the_page_never_writes_is_refused() {
        let change = |pointer: &str, value: Value| {
            let mut one = result("aa", |_, _, _, _| 50.0);
            *one.pointer_mut(pointer).expect("there") = value;
            parse(&one.to_string()).expect_err(pointer).to_string()
        };
        for (pointer, value, sentence) in [
            ("/format", json!("other"), "another name"),
            ("/version", json!(2), "version 2"),
            ("/version", json!(-1), "not a result"),
            ("/listener", json!("<script>"), "proper number"),
            ("/listener", json!(""), "proper number"),
            ("/test/id", json!("a b"), "proper number"),
            ("/test/key", json!("AAAA"), "cannot be decoded"),
            ("/pages/1/song", json!("s9"), "page 2 has an unknown song"),
            ("/pages/0/attribute", json!("a9"), "unknown attribute"),
            ("/pages/0/order", json!(["m0", "m0", "m1"]), "other mixes"),
            ("/pages/0/order", json!(["m0", "m1", "m2", "m2"]), "other mixes"),
            ("/pages/0/ratings", json!({ "m0": 101.0 }), "outside of 0 to 100"),
            ("/pages/0/ratings", json!({ "m0": -0.1 }), "outside of 0 to 100"),
            ("/pages/0/ratings", json!({ "m0": "50" }), "not a result"),
            ("/pages/0/ratings", json!({ "m9": 50.0 }), "unknown mix"),
            ("/pages/0/seconds", json!(1e300), "impossible time"),
            ("/pages/4/repeat", json!(false), "page 5 is there twice"),
            ("/pages", json!({}), "not a result"),
        ] {
            let error = change(pointer, value);
            assert!(error.contains(sentence), "{pointer}: {error}");
        }
        for text in ["", "[]", "null", "{\"format\":", &"[".repeat(100_000)] {
            assert!(matches!(parse(text), Err(Problem::NotAResult(_))));
        }
    }
}
