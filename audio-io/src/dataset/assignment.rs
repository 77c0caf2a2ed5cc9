//! Which audio file of a folder goes into which stem. What the user says on the command line counts first, then what
//! `stems.toml` in the folder says, then the names. No file is passed over in silence: what goes nowhere has a reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tributary_dsp::Stem;

use super::folder::{STEMS_FILE, file_name, is_audio, sorted_entries};
use super::names::{self, Meaning, Reading, Side};
use super::song_files::Source;

/// Where a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Into a stem.
    Stem(Stem),
    /// It is the human-made mix.
    Mixture,
    /// Nowhere.
    Unused,
}

impl Use {
    /// In one word, as in `stems.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Use::Stem(stem) => stem.name(),
            Use::Mixture => "mixture",
            Use::Unused => "unused",
        }
    }
}

/// Why a text says no stem.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// No stem is called like that.
    #[error("\"{0}\" is no stem; there are vocals, bass, drums, other, mixture and unused")]
    NoStem(String),
    /// A rule without a pattern or without a stem.
    #[error("\"{0}\" assigns nothing; write \"Kick*=drums\"")]
    NoRule(String),
}

impl FromStr for Use {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let all = Stem::ALL.map(Use::Stem).into_iter().chain([Use::Mixture, Use::Unused]);
        let mut all = all.filter(|one| one.name().eq_ignore_ascii_case(text.trim()));
        all.next().ok_or_else(|| RuleError::NoStem(text.into()))
    }
}

/// One thing that the user says: files whose names fit the pattern go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// A name with or without its ending, in which `*` stands for any letters and `?` for one.
    pattern: String,
    to: Use,
}

impl Rule {
    fn fits(&self, path: &Path) -> bool {
        let pattern = self.pattern.to_lowercase();
        let name = path.file_stem().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        fits(&pattern, &file_name(path).to_lowercase()) || fits(&pattern, &name)
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    /// Reads `PATTERN=STEM`.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text.rsplit_once('=') {
            Some((pattern, to)) if !pattern.is_empty() => {
                Ok(Self { pattern: pattern.into(), to: to.parse()? })
            }
            _ => Err(RuleError::NoRule(text.into())),
        }
    }
}

/// Whether a text fits a pattern of `*` and `?`.
fn fits(pattern: &str, text: &str) -> bool {
    let mut ends = pattern.chars();
    match ends.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = ends.as_str();
            text.char_indices().any(|(at, _)| fits(rest, &text[at..])) || fits(rest, "")
        }
        Some(wanted) => {
            let mut letters = text.chars();
            letters.next().is_some_and(|c| wanted == '?' || wanted == c)
                && fits(ends.as_str(), letters.as_str())
        }
    }
}

/// `stems.toml` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    files: BTreeMap<String, String>,
}

/// The rules of a folder's `stems.toml`: whole names before patterns, longer patterns before shorter ones.
fn rules_in(folder: &Path) -> Result<Option<Vec<Rule>>> {
    let path = folder.join(STEMS_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let context = || format!("{} cannot be used", path.display());
    let text = fs::read_to_string(&path).with_context(context)?;
    let file: RulesFile =
        toml::from_str(&text).map_err(|e| anyhow::anyhow!("{}", e.message())).with_context(context)?;
    let mut rules = Vec::new();
    for (pattern, to) in file.files {
        rules.push(Rule { pattern, to: to.parse().with_context(context)? });
    }
    rules.sort_by_key(|rule| (rule.pattern.contains(['*', '?']), std::cmp::Reverse(rule.pattern.len())));
    Ok(Some(rules))
}

/// One audio file and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The file.
    pub path: PathBuf,
    /// Where it goes.
    pub goes: Use,
    /// Why, where that is not plain from the name: a sentence without its subject.
    pub why: Option<String>,
    reading: Reading,
}

/// What becomes of the audio files of a folder.
#[derive(Debug)]
pub struct Assignment {
    /// All audio files, by name.
    pub files: Vec<Assigned>,
    /// Whether a `stems.toml` was read.
    pub from_file: bool,
    /// Why the folder cannot be used as it is.
    pub problem: Option<String>,
}

/// Assigns the audio files of a folder.
///
/// # Errors
/// The folder cannot be listed, its `stems.toml` cannot be used, or a rule fits no file.
pub fn assign(folder: &Path, rules: &[Rule]) -> Result<Assignment> {
    let paths: Vec<PathBuf> =
        sorted_entries(folder)?.into_iter().filter(|path| is_audio(path) && !path.is_dir()).collect();
    if let Some(rule) = rules.iter().find(|rule| !paths.iter().any(|path| rule.fits(path))) {
        bail!("\"{}\" fits no audio file in {}", rule.pattern, folder.display());
    }
    let in_file = rules_in(folder)?;
    let mut assignment = of_names(paths);
    assignment.from_file = in_file.is_some();
    let mut said = vec![None; assignment.files.len()];
    for (file, said) in assignment.files.iter().zip(&mut said) {
        let mut all = rules.iter().chain(in_file.iter().flatten());
        *said = all.find(|rule| rule.fits(&file.path)).map(|rule| rule.to);
    }
    assignment.decide(&said);
    Ok(assignment)
}

/// What a file of this name would be among the audio files of its folder; none when it would go nowhere, or when the folder
/// is no song.
pub fn role_of_new(path: &Path) -> Option<&'static str> {
    let folder = path.parent().filter(|_| is_audio(path))?;
    let rest: Vec<PathBuf> = sorted_entries(folder)
        .ok()?
        .into_iter()
        .filter(|file| file != path && is_audio(file) && file.is_file())
        .collect();
    let mut without = of_names(rest.clone());
    without.decide(&vec![None; rest.len()]);
    if !without.is_song() {
        return None;
    }
    let mut with = of_names(rest.into_iter().chain([path.to_owned()]).collect());
    with.decide(&vec![None; with.files.len()]);
    match (with.files.last()?.goes, &with.problem) {
        (Use::Stem(stem), _) => Some(in_words(Use::Stem(stem))),
        (Use::Mixture, _) => Some(in_words(Use::Mixture)),
        (Use::Unused, Some(_)) if without.problem.is_none() => Some("a second file of a stem"),
        (Use::Unused, _) => None,
    }
}

fn in_words(goes: Use) -> &'static str {
    match goes {
        Use::Stem(Stem::Vocals) => "the vocals stem",
        Use::Stem(Stem::Bass) => "the bass stem",
        Use::Stem(Stem::Drums) => "the drums stem",
        Use::Stem(Stem::Other) => "the other stem",
        Use::Mixture => "the human mix",
        Use::Unused => "nothing",
    }
}

/// Files with their names read, before anything is decided.
fn of_names(paths: Vec<PathBuf>) -> Assignment {
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let readings = names::read_all(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let file = |(path, reading)| Assigned { path, goes: Use::Unused, why: None, reading };
    let files = paths.into_iter().zip(readings).map(file).collect();
    Assignment { files, from_file: false, problem: None }
}

impl Assignment {
    /// Decides for every file; `said` is what rules say.
    fn decide(&mut self, said: &[Option<Use>]) {
        let by_name: Vec<usize> = (0..self.files.len()).filter(|&n| said[n].is_none()).collect();
        for (file, said) in self.files.iter_mut().zip(said) {
            file.goes = said.unwrap_or(Use::Unused);
        }
        Stem::ALL.into_iter().for_each(|stem| self.decide_stem(stem, &by_name));
        self.decide_mixture(&by_name);
        self.decide_rest(&by_name);
        for &n in &by_name {
            self.explain(n);
        }
    }

    /// Files by name that mean this stem: all of them are its parts, unless one is the whole of it.
    fn decide_stem(&mut self, stem: Stem, by_name: &[usize]) {
        let means = |n: &&usize| self.files[**n].reading.meaning == Meaning::Stem(stem);
        let parts: Vec<usize> = by_name.iter().filter(means).copied().collect();
        let whole = |n: &&usize| self.files[**n].reading.exact && !self.files[**n].reading.numbered;
        let wholes: Vec<usize> = parts.iter().filter(whole).copied().collect();
        if wholes.len() - self.pairs(&wholes).len() > 1 {
            let [one, two] = [wholes[0], wholes[1]].map(|n| file_name(&self.files[n].path));
            self.problem.get_or_insert(format!("{one} and {two} are both the {stem} stem; keep one"));
            return;
        }
        for n in parts {
            // Separators part guitars and keys from "other"; what they part from the other stems is also in them.
            let apart = stem == Stem::Other && self.files[n].reading.plain;
            if wholes.is_empty() || wholes.contains(&n) {
                self.files[n].goes = Use::Stem(stem);
            } else if apart {
                self.files[n].goes = Use::Stem(stem);
                self.files[n].why = Some("goes into the other stem".into());
            } else {
                let whole = file_name(&self.files[wholes[0]].path);
                self.files[n].why = Some(format!("{whole} is the whole {stem} stem"));
            }
        }
    }

    fn decide_mixture(&mut self, by_name: &[usize]) {
        if self.files.iter().any(|file| file.goes == Use::Mixture) {
            return;
        }
        let name =
            |n: usize| self.files[n].path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let rank = |n: &usize| {
            ["mixture", "mix", "reference"].iter().position(|best| name(*n) == *best).unwrap_or(3)
        };
        let mixes = by_name.iter().copied().filter(|&n| self.files[n].reading.meaning == Meaning::Mixture);
        if let Some(best) = mixes.min_by_key(rank) {
            self.files[best].goes = Use::Mixture;
        }
    }

    /// A file of everything but one stem is the rest of the song when nothing but that stem is there.
    fn decide_rest(&mut self, by_name: &[usize]) {
        let rests: Vec<(usize, Stem)> =
            by_name.iter().filter_map(|&n| Some((n, self.files[n].reading.rest()?))).collect();
        let Some(&(n, without)) = rests.first() else { return };
        let another = |file: &Assigned| matches!(file.goes, Use::Stem(stem) if stem != without);
        if self.files.iter().any(another) {
            return;
        }
        let name = file_name(&self.files[n].path);
        match rests[..] {
            [_] if without != Stem::Other => {
                self.files[n].goes = Use::Stem(Stem::Other);
                self.files[n].why =
                    Some(format!("is everything but the {without}; it goes into the other stem"));
            }
            // Leaving out what may be most of the song is no choice to make for its owner.
            [_] => self.problem = Some(format!("{name} holds vocals, bass and drums at once")),
            _ => {
                let second = file_name(&self.files[rests[1].0].path);
                self.problem = Some(format!("{name} and {second} both hold several stems at once; keep one"));
            }
        }
    }

    /// Says why a file goes nowhere by its name, or that it cannot be decided.
    fn explain(&mut self, n: usize) {
        let file = &self.files[n];
        if file.goes != Use::Unused || file.why.is_some() {
            return;
        }
        let whole = |stem: &Stem| {
            let is_whole = |file: &Assigned| file.goes == Use::Stem(*stem) && file.reading.exact;
            self.files.iter().any(is_whole)
        };
        let why = match &file.reading.meaning {
            Meaning::Several(stems) if !stems.iter().all(whole) => {
                let names: Vec<&str> = stems.iter().map(|stem| stem.name()).collect();
                let name = file_name(&file.path);
                self.problem.get_or_insert(format!(
                    "{name} speaks of {}; say where it goes with --assign \"{name}=STEM\" or in {STEMS_FILE}",
                    if names.is_empty() { "more than one thing".into() } else { names.join(" and of ") }
                ));
                "its name speaks of several stems"
            }
            Meaning::Several(_) => "its stems are there",
            Meaning::AllBut(_) => "it holds several stems at once",
            Meaning::Mixture => "there is another human mix",
            Meaning::Stem(_) => "there are two files of that stem",
            Meaning::Unknown => "its name says no stem",
        };
        self.files[n].why = Some(why.into());
    }

    /// Whether this looks like a song to someone who only came by: a stem by its own name, or parts of two.
    pub fn is_song(&self) -> bool {
        let stems = Stem::ALL.into_iter().filter(|&stem| self.of(stem).next().is_some()).count();
        let whole = |file: &Assigned| file.reading.exact && matches!(file.reading.meaning, Meaning::Stem(_));
        self.from_file && stems > 0 || stems >= 2 || self.files.iter().any(whole)
    }

    /// Files of a stem.
    fn of(&self, stem: Stem) -> impl Iterator<Item = &Assigned> {
        self.files.iter().filter(move |file| file.goes == Use::Stem(stem))
    }

    /// What is read for a stem: halves of a pair together, everything else by itself.
    pub fn sources(&self, stem: Stem) -> Vec<Source> {
        let files: Vec<usize> =
            (0..self.files.len()).filter(|&n| self.files[n].goes == Use::Stem(stem)).collect();
        let pairs = self.pairs(&files);
        let path = |n: usize| self.files[n].path.clone();
        let paired: Vec<usize> = pairs.iter().flat_map(|&(left, right)| [left, right]).collect();
        let alone = files.into_iter().filter(|n| !paired.contains(n)).map(|n| Source::File(path(n)));
        let pairs = pairs.iter().map(|&(left, right)| Source::Pair { left: path(left), right: path(right) });
        pairs.chain(alone).collect()
    }

    /// Left and right halves among these files. Tracks of a session have numbers of their own, so these may differ.
    fn pairs(&self, files: &[usize]) -> Vec<(usize, usize)> {
        let mut sides: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
        for &n in files {
            let reading = &self.files[n].reading;
            if let Some(side) = reading.side {
                sides.entry(&reading.without_side).or_default()[usize::from(side == Side::Right)].push(n);
            }
        }
        let even = sides.into_values().filter(|[left, right]| left.len() == right.len());
        even.flat_map(|[left, right]| left.into_iter().zip(right)).collect()
    }
}

impl Reading {
    /// The stem that is missing in a file of all others.
    fn rest(&self) -> Option<Stem> {
        match self.meaning {
            Meaning::AllBut(stem) => Some(stem),
            _ => None,
        }
    }
}
