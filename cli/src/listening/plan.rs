//! `test.toml`: what a listening test is made of, read strictly and checked before any audio is touched.
//!
//! Unknown keys are errors: a misspelled option that is silently ignored would spoil a test that people sat through.
//! Every limit that belongs to good practice rather than to the page is a warning, see [`Plan::warnings`].

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

pub use document::{Attribute, Plan, Question, QuestionKind, Song, Source, Stems};

mod document;

/// Most mixes of one song: with the reference they fill the 32 channels that Web Audio's buffers may have.
const MAX_MIXES: usize = 15;
const MAX_SONGS: usize = 60;
const MAX_ATTRIBUTES: usize = 8;
const MAX_QUESTIONS: usize = 30;
const MAX_CHOICES: usize = 30;
/// Characters of a name and of a longer text.
const MAX_NAME_CHARS: usize = 120;
const MAX_TEXT_CHARS: usize = 4000;
/// Excerpt lengths that can be built, in seconds.
const EXCERPT_S: (f64, f64) = (1.0, 300.0);
/// Good practice of multi-stimulus tests on mixes; see docs/listening.md for the source.
const GOOD_EXCERPT_S: (f64, f64) = (25.0, 60.0);
const GOOD_MIXES: usize = 11;
const GOOD_MINUTES: f64 = 45.0;
/// The duration of a page: each mix is heard for this share of the excerpt, and reading takes this long.
const HEARD_RATIO: f64 = 0.75;
const READING_S: f64 = 20.0;
/// Questionnaire, check and training, in seconds.
const FRAME_S: f64 = 240.0;

impl Plan {
    /// Reads and checks a plan; paths in it are relative to its own folder.
    ///
    /// # Errors
    /// The file cannot be read, is not such a plan, or asks for what cannot be built; the sentence says where.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut plan: Plan = toml::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), one_line(&error)))?;
        plan.check().with_context(|| path.display().to_string())?;
        plan.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(plan)
    }

    /// Every song with audio, the training song last.
    pub fn all_songs(&self) -> impl Iterator<Item = &Song> {
        self.songs.iter().chain(&self.training)
    }

    /// The files and folders that the audio is read from.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let sources = self.all_songs().flat_map(|song| song.mixes.values().chain(&song.reference));
        sources.map(|source| match source {
            Source::File(path) | Source::Stems(Stems { stems: path, .. }) => path.as_path(),
        })
    }

    fn check(&self) -> Result<()> {
        text("title", &self.title, 1, MAX_NAME_CHARS)?;
        text("instructions", &self.instructions, 0, MAX_TEXT_CHARS)?;
        ensure!(
            [32_000, 44_100, 48_000, 88_200, 96_000].contains(&self.sample_rate_hz),
            "sample_rate_hz is {}; browsers play 32000, 44100, 48000, 88200 and 96000",
            self.sample_rate_hz
        );
        within("loudness_lufs", self.loudness_lufs, (-40.0, -10.0))?;
        within("true_peak_dbtp", self.true_peak_dbtp, (-20.0, 0.0))?;
        within("minimum_reliability", self.minimum_reliability, (-10.0, 1.0))?;
        if let Some(url) = &self.post_url {
            check_url(url)?;
        }
        count("attribute", self.attributes.len(), 1, MAX_ATTRIBUTES)?;
        count("question", self.questions.len(), 0, MAX_QUESTIONS)?;
        count("song", self.songs.len(), 1, MAX_SONGS)?;
        let pages = self.songs.len() * self.attributes.len();
        ensure!(self.repeats <= pages, "repeats is {}, but there are only {pages} pages", self.repeats);
        unique("attribute", self.attributes.iter().map(|attribute| attribute.name.as_str()))?;
        unique("song", self.songs.iter().map(|song| song.name.as_str()))?;
        for attribute in &self.attributes {
            text("the name of an attribute", &attribute.name, 1, MAX_NAME_CHARS)?;
            text("the question of an attribute", &attribute.question, 0, MAX_TEXT_CHARS)?;
            text("the end of a scale", &attribute.low, 1, MAX_NAME_CHARS)?;
            text("the end of a scale", &attribute.high, 1, MAX_NAME_CHARS)?;
        }
        self.questions.iter().try_for_each(Question::check)?;
        self.all_songs().try_for_each(|song| song.check().with_context(|| format!("song \"{}\"", song.name)))
    }

    fn resolve_paths(&mut self, folder: &Path) {
        for song in self.songs.iter_mut().chain(&mut self.training) {
            for source in song.mixes.values_mut().chain(&mut song.reference) {
                match source {
                    Source::File(path) => *path = folder.join(&*path),
                    Source::Stems(stems) => stems.stems = folder.join(&stems.stems),
                }
            }
        }
    }

    /// About how long the test takes, in minutes; `lengths_s` are the excerpts of [`Plan::songs`].
    pub fn minutes(&self, lengths_s: &[f64]) -> f64 {
        let per_song =
            |(song, length_s): (&Song, &f64)| HEARD_RATIO * length_s * song.mixes.len() as f64 + READING_S;
        let songs_s: f64 = self.songs.iter().zip(lengths_s).map(per_song).sum();
        let pages = self.songs.len() * self.attributes.len();
        let page_s = songs_s / self.songs.len().max(1) as f64;
        (FRAME_S + page_s * (pages + self.repeats) as f64) / 60.0
    }

    /// Where the plan leaves good practice, as plain sentences.
    pub fn warnings(&self, lengths_s: &[f64]) -> Vec<String> {
        let mut warnings = Vec::new();
        let (shortest_s, longest_s) = GOOD_EXCERPT_S;
        for (song, length_s) in self.songs.iter().zip(lengths_s) {
            if !(shortest_s - 0.5..=longest_s + 0.5).contains(length_s) {
                warnings.push(format!(
                    "the excerpt of \"{}\" is {length_s:.0} s long; {shortest_s:.0} to {longest_s:.0} s are usual",
                    song.name
                ));
            }
            if song.mixes.len() > GOOD_MIXES {
                warnings.push(format!(
                    "\"{}\" has {} mixes on a page; more than {GOOD_MIXES} are tiring",
                    song.name,
                    song.mixes.len()
                ));
            }
            if song.mixes.keys().ne(self.songs[0].mixes.keys()) {
                warnings.push(format!("\"{}\" has other systems than \"{}\"", song.name, self.songs[0].name));
            }
        }
        let minutes = self.minutes(lengths_s);
        if minutes > GOOD_MINUTES {
            warnings.push(format!(
                "the test takes about {minutes:.0} minutes; more than {GOOD_MINUTES:.0} are tiring"
            ));
        }
        if self.repeats == 0 {
            warnings.push("no page is repeated, so nothing will be known about reliability".into());
        }
        warnings
    }
}

impl Question {
    fn check(&self) -> Result<()> {
        text("a question", &self.text, 1, MAX_TEXT_CHARS)?;
        let wanted = if self.kind == QuestionKind::Choice { (2, MAX_CHOICES) } else { (0, 0) };
        count(&format!("choices of \"{}\"", self.text), self.choices.len(), wanted.0, wanted.1)?;
        unique("choice", self.choices.iter().map(String::as_str))?;
        self.choices.iter().try_for_each(|choice| text("a choice", choice, 1, MAX_NAME_CHARS))
    }
}

impl Song {
    fn check(&self) -> Result<()> {
        text("the name", &self.name, 1, MAX_NAME_CHARS)?;
        count("mixes", self.mixes.len(), 2, MAX_MIXES)?;
        self.mixes.keys().try_for_each(|name| text("the name of a mix", name, 1, MAX_NAME_CHARS))?;
        within("start_s", self.start_s, (0.0, 36_000.0))?;
        if let Some(length_s) = self.length_s {
            within("length_s", length_s, EXCERPT_S)?;
        }
        for source in self.mixes.values().chain(&self.reference) {
            let Source::Stems(Stems { gains_db, .. }) = source else { continue };
            for (stem, gain_db) in gains_db {
                ensure!(
                    tributary_dsp::Stem::from_name(stem).is_some(),
                    "\"{stem}\" is no stem; there are vocals, bass, drums and other"
                );
                within("a gain in gains_db", *gain_db, (-100.0, 40.0))?;
            }
        }
        Ok(())
    }

    /// The excerpt's longest and shortest possible length, in seconds.
    pub fn length_range_s() -> (f64, f64) {
        EXCERPT_S
    }
}

/// The parser's message without its picture of the line, which errors of one line have no room for.
fn one_line(error: &toml::de::Error) -> String {
    error.message().lines().collect::<Vec<_>>().join(" ")
}

fn text(what: &str, text: &str, shortest: usize, longest: usize) -> Result<()> {
    let length = text.chars().count();
    ensure!(length >= shortest && (shortest == 0 || !text.trim().is_empty()), "{what} is empty");
    ensure!(length <= longest, "{what} has {length} characters; {longest} at most");
    Ok(())
}

fn within(what: &str, value: f64, (low, high): (f64, f64)) -> Result<()> {
    ensure!((low..=high).contains(&value), "{what} is {value}; {low} to {high} are possible");
    Ok(())
}

fn count(what: &str, count: usize, low: usize, high: usize) -> Result<()> {
    ensure!((low..=high).contains(&count), "{what}: there are {count}; {low} to {high} are possible");
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            bail!("there are two {what}s called \"{name}\"");
        }
    }
    Ok(())
}

/// The address goes into the page's policy, where a space or a semicolon would open other doors.
fn check_url(url: &str) -> Result<()> {
    let local = ["http://localhost", "http://127.0.0.1"].iter().any(|start| url.starts_with(start));
    ensure!(url.starts_with("https://") || local, "post_url must begin with https://");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?=&%+@".contains(c);
    ensure!(url.len() <= 500 && url.chars().all(plain), "post_url has characters that an address has not");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "title = \"T\"\n[[song]]\nname = \"S\"\nlength_s = 30.0\n[song.mixes]\na = \"a.wav\"\nb = { stems = \"d\", gains_db = { vocals = 3.0 } }\n";

    fn plan(text: &str) -> Result<Plan> {
        let plan: Plan = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    #[test]
    fn a_small_plan_gets_the_usual_attributes_and_questions() {
        let plan = plan(SMALL).expect("valid");
        assert_eq!((plan.attributes.len(), plan.repeats, plan.loudness_lufs), (3, 1, -23.0));
        assert!(plan.questions[0].text.contains("mixing"));
        assert!(plan.warnings(&[30.0]).is_empty(), "{:?}", plan.warnings(&[30.0]));
        // 4 pages of 2 · 30 · 0.75 + 20 s and 4 minutes.
        assert!((plan.minutes(&[30.0]) - (4.0 + 4.0 * 65.0 / 60.0)).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        for (from, to, sentence) in [
            ("title = \"T\"", "title = \" \"", "title is empty"),
            ("title = \"T\"", "titel = \"T\"", "unknown field"),
            ("title = \"T\"", "title = \"T\"\nrepeats = 9", "only 3 pages"),
            ("title = \"T\"", "title = \"T\"\nloudness_lufs = nan", "loudness_lufs"),
            ("title = \"T\"", "title = \"T\"\nsample_rate_hz = 22050", "browsers play"),
            ("title = \"T\"", "title = \"T\"\npost_url = \"https://a.b; script-src *\"", "characters"),
            ("title = \"T\"", "title = \"T\"\npost_url = \"http://a.b\"", "https://"),
            ("length_s = 30.0", "length_s = 0.1", "length_s is 0.1"),
            ("a = \"a.wav\"\n", "", "mixes: there are 1"),
            ("vocals = 3.0", "voice = 3.0", "no stem"),
            ("vocals = 3.0", "vocals = inf", "gains_db"),
            ("[song.mixes]", "start_s = -1.0\n[song.mixes]", "start_s"),
        ] {
            let error = format!("{:#}", plan(&SMALL.replacen(from, to, 1)).expect_err(to));
            assert!(error.contains(sentence), "{to}: {error}");
        }
    }

    #[test]
    fn good_practice_is_a_warning() {
        let mut plan = plan(SMALL).expect("valid");
        plan.repeats = 0;
        let warnings = plan.warnings(&[5.0]).join("\n");
        assert!(warnings.contains("5 s long") && warnings.contains("no page is repeated"), "{warnings}");
        assert!(plan.warnings(&[2000.0]).iter().any(|warning| warning.contains("minutes")));
    }
}
