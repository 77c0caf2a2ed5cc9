//! `test.toml` as it is written: every key, what it means, and what it is when it is absent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// A whole test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Shown as the page's heading.
    pub title: String,
    /// Shown on the first page, as plain text; empty lines part paragraphs.
    #[serde(default)]
    pub instructions: String,
    /// Rate of the audio in the page.
    #[serde(default = "default_rate_hz")]
    pub sample_rate_hz: u32,
    /// Integrated loudness that every mix is brought to.
    #[serde(default = "default_loudness_lufs")]
    pub loudness_lufs: f64,
    /// True peak that no mix exceeds; a song that would is lowered as a whole.
    #[serde(default = "default_true_peak_dbtp")]
    pub true_peak_dbtp: f64,
    /// How many pages are shown a second time, to see how reliably a listener rates.
    #[serde(default = "default_repeats")]
    pub repeats: usize,
    /// Listeners with a lower reliability are left out of the analysis; see docs/listening.md.
    #[serde(default = "default_minimum_reliability")]
    pub minimum_reliability: f64,
    /// Where results can be sent to besides being saved; HTTPS.
    pub post_url: Option<String>,
    /// What is rated.
    #[serde(default = "default_attributes", rename = "attribute")]
    pub attributes: Vec<Attribute>,
    /// What is asked before the test.
    #[serde(default = "default_questions", rename = "question")]
    pub questions: Vec<Question>,
    /// The song of the practice page, whose ratings do not count; the first song when absent.
    pub training: Option<Song>,
    /// What is heard.
    #[serde(rename = "song")]
    pub songs: Vec<Song>,
}

/// One scale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Such as Clarity.
    pub name: String,
    /// What the listener is asked.
    #[serde(default)]
    pub question: String,
    /// Label of the left end, 0.
    #[serde(default = "default_low")]
    pub low: String,
    /// Label of the right end, 100.
    #[serde(default = "default_high")]
    pub high: String,
}

/// One question about the listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question.
    pub text: String,
    /// How it is answered.
    #[serde(default)]
    pub kind: QuestionKind,
    /// For `choice`: the answers.
    #[serde(default)]
    pub choices: Vec<String>,
    /// Whether the test goes on without an answer.
    #[serde(default)]
    pub optional: bool,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuestionKind {
    /// A number from 0 to 1000.
    Number,
    /// One of some answers.
    Choice,
    /// A line of text.
    #[default]
    Text,
}

/// One song: its mixes, and the excerpt that is heard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Song {
    /// Not shown to the listener.
    pub name: String,
    /// Where the excerpt starts.
    #[serde(default)]
    pub start_s: f64,
    /// How long it is; to the end of the shortest mix when absent.
    pub length_s: Option<f64>,
    /// Heard beside the mixes and not rated, such as the plain sum of the dry stems.
    pub reference: Option<Source>,
    /// By system: the same name in several songs is the same system.
    pub mixes: BTreeMap<String, Source>,
}

/// Where audio comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// An audio file.
    File(PathBuf),
    /// The sum of a folder's stems.
    Stems(Stems),
}

/// A folder with vocals, bass, drums and other, summed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stems {
    /// The folder.
    pub stems: PathBuf,
    /// Gain by stem; 0 dB where absent.
    #[serde(default)]
    pub gains_db: BTreeMap<String, f64>,
}

fn default_rate_hz() -> u32 {
    44_100
}

/// EBU R 128's programme level: low enough that peaks of any mix fit.
fn default_loudness_lufs() -> f64 {
    -23.0
}

fn default_true_peak_dbtp() -> f64 {
    -1.0
}

fn default_repeats() -> usize {
    1
}

fn default_minimum_reliability() -> f64 {
    0.25
}

fn default_low() -> String {
    "poor".into()
}

fn default_high() -> String {
    "excellent".into()
}

/// The three attributes of the field's tests; see docs/listening.md for the source.
fn default_attributes() -> Vec<Attribute> {
    [
        (
            "Production value",
            "How professional does the mix sound: balance, tone, dynamics, space and technical quality?",
        ),
        ("Clarity", "How well can you hear and tell apart what is played and sung?"),
        ("Excitement", "How much does the mix move you, apart from whether you like the song?"),
    ]
    .map(|(name, question)| Attribute {
        name: name.into(),
        question: question.into(),
        low: default_low(),
        high: default_high(),
    })
    .into()
}

fn default_questions() -> Vec<Question> {
    let question = |text: &str, kind, choices: &[&str], optional| Question {
        text: text.into(),
        kind,
        choices: choices.iter().map(|choice| (*choice).into()).collect(),
        optional,
    };
    vec![
        question("Years of experience in mixing or mastering", QuestionKind::Number, &[], false),
        question("Years of playing an instrument or singing", QuestionKind::Number, &[], false),
        question("What are you listening on?", QuestionKind::Choice, &["Headphones", "Loudspeakers"], false),
        question(
            "Do you have a hearing impairment?",
            QuestionKind::Choice,
            &["No", "Yes", "I would rather not say"],
            false,
        ),
    ]
}
