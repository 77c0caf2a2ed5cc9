//! What the editor shows beside the parameters: plain values, in the words and units in which they are shown. Any state of
//! the editor can be made up from them.

use tributary_dsp::explain::Explanation;
use tributary_dsp::{Amounts, Stem, TonePortrait};
use tributary_engine::{LatencyMode, MOST_BANDS, PARTS};

/// Meters of one stem.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StemCopy {
    /// Signal arrives now.
    pub signal: bool,
    /// Signal has arrived since activation, before any reset.
    pub seen: bool,
    /// Momentary loudness before normalization.
    pub before_lufs: Option<f32>,
    /// Momentary loudness after normalization.
    pub after_lufs: Option<f32>,
    /// Where it goes into the mix; `None` when there is nothing to see.
    pub image: Option<ImageCopy>,
    /// What each effect does, in the order of [`Amounts::NAMES`].
    pub corrections: [CorrectionCopy; Amounts::NAMES.len()],
    /// Tone, while the stem is shown in full.
    pub tone: Option<Box<TonePortrait>>,
    /// The compressor's setting, where it compresses.
    pub compressor: Option<CompressorCopy>,
    /// Gain reduction of the compressor, in dB, positive.
    pub gain_reduction_db: f32,
    /// What was decided about the stem and why, as a sentence.
    pub decision: String,
}

/// A compressor's setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompressorCopy {
    /// Input over output above the threshold; above 1.
    pub ratio: f32,
    /// In dBFS of the peak-normalized stem.
    pub threshold_db: f32,
}

/// One second of the mix.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HistoryPoint {
    /// Short-term loudness at its end.
    pub short_term_lufs: Option<f32>,
    /// Underruns within it.
    pub underruns: u64,
}

/// Where a signal sits between the speakers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ImageCopy {
    /// −1 left, 1 right.
    pub balance: f32,
    /// Share of the energy that is side, 0–1: 0 is mono, 0.5 two unlike channels.
    pub width: f32,
}

/// What one effect does to a stem.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CorrectionCopy {
    /// Value with its unit.
    pub value: String,
    /// It does something.
    pub in_force: bool,
}

/// Meters of the mix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MixCopy {
    /// Momentary loudness.
    pub momentary_lufs: Option<f32>,
    /// Short-term loudness.
    pub short_term_lufs: Option<f32>,
    /// Integrated loudness since the last reset.
    pub integrated_lufs: Option<f32>,
    /// Peak of the output now, in dB of full scale.
    pub peak_db: Option<f32>,
    /// The highest peak of the last moments.
    pub peak_hold_db: Option<f32>,
    /// A peak was over the mark since the lamp was put out.
    pub over: bool,
    /// Correlation of the sides, −1 to 1.
    pub correlation: Option<f32>,
    /// Highest true peak of the mix since the last reset, in dBTP.
    pub true_peak_db: Option<f32>,
}

/// What a stem in full shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Page {
    /// What is measured of the stem, and what each effect does.
    #[default]
    Corrections,
    /// What the network does to it.
    Network,
    /// How it ended up in the mix.
    InMix,
}

impl Page {
    /// All of them, from left to right.
    pub const ALL: [Self; 3] = [Self::Corrections, Self::Network, Self::InMix];

    /// On its button.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corrections => "Corrections",
            Self::Network => "Network",
            Self::InMix => "In the mix",
        }
    }
}

/// What the network does to the stem that is shown in full.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum NetworkCopy {
    /// No model runs.
    #[default]
    Idle,
    /// Its masks cannot be read.
    Hidden,
    /// Its masks of the last ten seconds.
    Masks(Box<MasksCopy>),
}

/// Gains of a network's masks on one stem, gate included, in dB against the plain sum of the stems.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MasksCopy {
    /// Center of each band in Hz, rising; at most [`MOST_BANDS`].
    pub bands_hz: Vec<f32>,
    /// Tenths of a second, oldest first, at most a hundred: middle and sides, by band.
    pub columns: Vec<[[f32; MOST_BANDS]; PARTS]>,
}

impl MasksCopy {
    /// Mean of a band over the time shown, 0 for none.
    pub fn mean_db(&self, part: usize, band: usize) -> f32 {
        let sum: f32 = self.columns.iter().map(|column| column[part][band]).sum();
        sum / self.columns.len().max(1) as f32
    }

    /// The farthest from the plain sum that any band went, in dB.
    pub fn farthest_db(&self) -> f32 {
        self.columns.iter().flatten().flatten().fold(0.0, |most, gain_db| gain_db.abs().max(most))
    }
}

/// Where the model is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ModelState {
    /// The host has not activated the plug-in.
    #[default]
    Idle,
    /// Being read and checked, 0–1.
    Loading(f32),
    /// In use.
    Ready,
    /// Cannot be used; the sentence says why and what to do.
    Failed(String),
}

/// The model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelCopy {
    /// Name in the contract.
    pub name: String,
    /// Version in the contract.
    pub version: String,
    /// What it was trained on, one sentence.
    pub trained_on: String,
    /// Its state.
    pub state: ModelState,
    /// Names of the models to choose from.
    pub choices: Vec<String>,
    /// The name of the chosen one.
    pub choice: String,
    /// Another one is coming in.
    pub changing: bool,
}

/// The latency and its parts, in host frames, and its mode.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatencyCopy {
    /// Host rate; 0 before activation.
    pub sample_rate_hz: f64,
    /// As reported to the host.
    pub total_samples: usize,
    /// Names and lengths, in order of the signal.
    pub parts: Vec<(String, usize)>,
    /// The mode that was chosen.
    pub mode: LatencyMode,
    /// Modes that the model has, in the order of [`LatencyMode::ALL`].
    pub offered: [bool; 4],
    /// The chosen mode waits for the host to restart the plug-in.
    pub pending: bool,
    /// The host is not asked yet, because a song is being learned.
    pub held: bool,
}

/// Where learning is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum LearningCopy {
    /// There is nothing to learn for: no model, or not activated.
    #[default]
    Unavailable,
    /// Running estimates.
    Adaptive {
        /// Why nothing was learned.
        message: Option<String>,
    },
    /// The song is being captured.
    Listening {
        /// Length of the stretch, in seconds.
        captured_s: f64,
        /// The longest stretch before a jump, in seconds; 0 for none.
        kept_s: f64,
        /// Stems loud enough to be measured, in stem order.
        heard: [bool; Stem::COUNT],
        /// What it would find so far, in a few words; empty before there is anything.
        so_far: String,
    },
    /// The song is being measured.
    Analyzing {
        /// 0–1.
        progress: f32,
        /// Stems loud enough to be measured, in stem order.
        heard: [bool; Stem::COUNT],
    },
    /// A profile is in force.
    Learned {
        /// Length of what it was learned from, in seconds.
        length_s: f64,
        /// When, in seconds since 1970-01-01 UTC.
        unix_s: u64,
        /// Stems that have corrections, in stem order.
        stems: [bool; Stem::COUNT],
        /// What the network averages over the song was learned too, for this network.
        averages: bool,
        /// Why it was not replaced.
        message: Option<String>,
    },
}

/// How a snapshot compares to what is set now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SnapshotCopy {
    /// There is none.
    #[default]
    Empty,
    /// Everything is set as it is there.
    Same,
    /// Something is set otherwise.
    Different,
}

/// What stems are brought to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TargetsCopy {
    /// Names to choose from.
    pub choices: Vec<String>,
    /// The chosen one.
    pub choice: String,
    /// Whose averages are in force: a data set's or a song's. Empty without a model.
    pub name: String,
    /// Where they come from, in a sentence.
    pub source: String,
}

/// What acts on everything at once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolbarCopy {
    /// The factory preset whose values are set now, by its place.
    pub preset: Option<usize>,
    /// In the order of [`Slot::ALL`](crate::saved::Slot::ALL).
    pub snapshots: [SnapshotCopy; 4],
    /// What would be undone, and what done again.
    pub steps: [Option<String>; 2],
    /// What stems are brought to.
    pub targets: TargetsCopy,
}

/// Everything the editor shows beside the parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Copies {
    /// In the order of [`Stem::ALL`].
    pub stems: [StemCopy; 4],
    /// The mix.
    pub mix: MixCopy,
    /// The model.
    pub model: ModelCopy,
    /// The latency.
    pub latency: LatencyCopy,
    /// Where the corrections come from.
    pub learning: LearningCopy,
    /// Names of learned profiles to choose from.
    pub learned_files: Vec<String>,
    /// The next song that is learned is also written as its normalized stems.
    pub exports_next: bool,
    /// What acts on everything at once.
    pub toolbar: ToolbarCopy,
    /// Time the worker used over the time it had.
    pub load_ratio: f32,
    /// Since the last reset.
    pub underruns: u64,
    /// The stem that is shown in full.
    pub enlarged: Option<Stem>,
    /// What is shown of it.
    pub page: Page,
    /// What the network does to it, while that is shown.
    pub network: NetworkCopy,
    /// What the mix did to all stems, while that is shown and once it is known.
    pub explanation: Option<Box<Explanation>>,
    /// The history is shown in the place of the streams.
    pub history_open: bool,
    /// Second by second, oldest first; empty while it is not shown.
    pub history: Vec<HistoryPoint>,
    /// The amounts are shown.
    pub amounts_open: bool,
    /// The model has no masks: a share of the network is a plain crossfade.
    pub plain_crossfade: bool,
    /// Sentences about the loaded project.
    pub notices: Vec<String>,
}
