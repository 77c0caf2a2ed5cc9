//! The editor: a pure function from parameters and copies of the meters to pixels and edits.
//!
//! [`draw`] reads nothing but its arguments and changes nothing; [`window`] is the only file that knows the framework. So
//! every state of the editor, including those that are hard to reach in a host, can be drawn in a test.

pub mod controls;
pub mod curves;
pub mod latency;
pub mod learning;
pub mod meters;
pub mod model_status;
pub mod size;
pub mod stem_strip;
pub mod theme;
pub mod window;

use crate::params::{DrySource, TributaryParams};
use egui::{Align2, Rect, Ui, pos2, vec2};
use learning::{LearningAction, LearningCopy};
use nice_plug::prelude::Param;
use theme::GAP;
use tributary_dsp::Stem;
use tributary_engine::LatencyMode;

/// Size of the window when first opened, in points.
pub const SIZE: [u32; 2] = [960, 684];
/// Smallest size at which everything is legible, in points.
pub const MIN_SIZE: [u32; 2] = [820, 604];

const HEADER: f32 = 42.0;
const FOOTER: f32 = 26.0;
const CURVES: f32 = 74.0;
const MIX_PANEL: f32 = 258.0;

/// A parameter, as the editor addresses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// Mix.
    Mix,
    /// Output gain.
    Gain,
    /// Bypass.
    Bypass,
    /// Dry source.
    DrySource,
}

/// What the user did. Values are normalized, 0–1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit {
    /// A gesture begins: hosts write automation between begin and end.
    Begin(Control),
    /// A new value.
    Set(Control, f32),
    /// The gesture ends.
    End(Control),
    /// Count underruns from here.
    ResetUnderruns,
    /// Learn a profile, or stop.
    Learning(LearningAction),
    /// Another latency mode.
    Latency(LatencyMode),
    /// Another model, by its place in [`ModelCopy::choices`].
    Model(usize),
}

impl Edit {
    /// A whole gesture.
    pub fn once(control: Control, value: f32) -> [Self; 3] {
        [Self::Begin(control), Self::Set(control, value), Self::End(control)]
    }
}

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
    /// Corrections in force: name and value with its unit. At most [`CORRECTIONS_MAX`].
    pub corrections: Vec<(&'static str, String)>,
}

/// Rows of corrections a strip has room for.
pub const CORRECTIONS_MAX: usize = 5;

/// Meters of the mix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MixCopy {
    /// Momentary loudness.
    pub momentary_lufs: Option<f32>,
    /// Integrated loudness since the last reset.
    pub integrated_lufs: Option<f32>,
    /// Peak of the output now, in dB of full scale.
    pub peak_db: Option<f32>,
    /// Highest true peak of the mix since the last reset, in dBTP.
    pub true_peak_db: Option<f32>,
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
    /// Time the worker used over the time it had.
    pub load_ratio: f32,
    /// Since the last reset.
    pub underruns: u64,
    /// Sentences about the loaded project.
    pub notices: Vec<String>,
}

/// Draws the editor over the whole of `ui` and returns what the user did.
pub fn draw(ui: &Ui, params: &TributaryParams, copies: &Copies) -> Vec<Edit> {
    let mut edits = Vec::new();
    let whole = ui.max_rect();
    ui.painter().rect_filled(whole, egui::CornerRadius::ZERO, theme::BACKGROUND);
    let inner = whole.shrink2(vec2(12.0, 4.0));
    let (header, rest) = inner.split_top_bottom_at_y(inner.top() + HEADER);
    let (rest, footer) = rest.split_top_bottom_at_y(rest.bottom() - FOOTER);
    model_status::header(ui, header, copies, params.bypass.value(), &mut edits);
    model_status::footer(ui, footer, copies, &mut edits);
    let (body, row) = rest.split_top_bottom_at_y(rest.bottom() - latency::HEIGHT);
    latency::draw(ui, row, copies, &mut edits);
    let body = Rect::from_min_max(body.min, body.max - vec2(0.0, GAP));
    let (body, row) = body.split_top_bottom_at_y(body.bottom() - learning::HEIGHT);
    learning::draw(ui, row, copies, &mut edits);
    let body = Rect::from_min_max(body.min, body.max - vec2(0.0, GAP));
    let (stems, panel) = body.split_left_right_at_x(body.right() - MIX_PANEL);
    stem_area(ui, stems, copies);
    mix_panel(ui, panel, params, copies, &mut edits);
    edits
}

/// Four strips and, below them, the streams that lead to the mix.
fn stem_area(ui: &Ui, rect: Rect, copies: &Copies) {
    let (strips, streams) = rect.split_top_bottom_at_y(rect.bottom() - CURVES);
    // A sentence stands where the streams flow: they say what the meters say, and no control moves for it.
    let sentence = model_status::sentence(copies);
    let width = (strips.width() - 3.0 * GAP - GAP) / 4.0;
    let strip = |index: usize| {
        let left = strips.left() + index as f32 * (width + GAP);
        Rect::from_min_max(pos2(left, strips.top()), pos2(left + width, strips.bottom()))
    };
    let centers = std::array::from_fn(|index| strip(index).center().x);
    match sentence {
        Some((color, text)) => {
            let room = Rect::from_min_max(streams.min + vec2(0.0, GAP), streams.max - vec2(GAP, 0.0));
            model_status::notice(ui, room, color, &text);
        }
        None => curves::draw(ui.painter(), streams, centers, &copies.stems, &copies.mix),
    }
    for stem in Stem::ALL {
        stem_strip::draw(ui, strip(stem.index()), stem, &copies.stems[stem.index()]);
    }
}

/// Meters of the mix above, what acts on it below.
fn mix_panel(ui: &Ui, rect: Rect, params: &TributaryParams, copies: &Copies, edits: &mut Vec<Edit>) {
    theme::panel(ui.painter(), rect);
    let inner = rect.shrink(14.0);
    let controls_height = 232.0;
    let (meters, controls) = inner.split_top_bottom_at_y(inner.bottom() - controls_height);
    meters::mix(ui.painter(), Rect::from_min_max(meters.min, meters.max - vec2(0.0, 12.0)), &copies.mix);

    let audible = !params.bypass.value();
    let mix = Rect::from_min_size(controls.min, vec2(140.0, 170.0));
    controls::Knob {
        control: Control::Mix,
        name: "Mix",
        value: &params.mix.to_string(),
        position: params.mix.unmodulated_normalized_value(),
        default: params.mix.default_normalized_value(),
        neutral: 0.0,
        active: audible,
    }
    .draw(ui, mix, edits);
    let gain = Rect::from_min_size(pos2(controls.right() - 80.0, controls.top() + 62.0), vec2(80.0, 108.0));
    controls::Knob {
        control: Control::Gain,
        name: "Output gain",
        value: &params.gain_db.to_string().replace('-', "\u{2212}"),
        position: params.gain_db.unmodulated_normalized_value(),
        default: params.gain_db.default_normalized_value(),
        neutral: 0.5,
        active: audible,
    }
    .draw(ui, gain, edits);

    let at = pos2(controls.left(), controls.bottom() - 42.0);
    theme::label(ui.painter(), at, Align2::LEFT_CENTER, "Dry source (Mix at 0 %)", 11.0, theme::DIM);
    let row = Rect::from_min_max(pos2(controls.left(), controls.bottom() - 28.0), controls.max);
    let chosen = usize::from(params.dry_source.value() == DrySource::Sum);
    if let Some(choice) = controls::choice(ui, row, &["Bus", "Sum of stems"], chosen) {
        edits.extend(Edit::once(Control::DrySource, choice as f32));
    }
}
