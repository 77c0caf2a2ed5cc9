//! The states of the editor that are held to pictures.

#![allow(unsafe_code)] // The framework lists parameters as pointers.

use crate::canvas::{self, Picture};
use egui::{Context, Event, Modifiers, PointerButton, Pos2, pos2};
use nice_plug::prelude::Params;
use std::time::Duration;
use tributary::editor::{
    self, Appearance, CompressorCopy, Copies, CorrectionCopy, HistoryPoint, ImageCopy, LAYOUT, LatencyCopy,
    LearningCopy, MIN_SIZE, MasksCopy, MixCopy, ModelCopy, ModelState, NetworkCopy, Page, SnapshotCopy,
    StemCopy, TargetsCopy, ToolbarCopy,
};
use tributary::params::TributaryParams;
use tributary_dsp::explain::{BandGain, Explanation, Found, StemInMix, THIRD_OCTAVES, center_hz};
use tributary_dsp::{Stem, TonePortrait};
use tributary_engine::LatencyMode;

/// One state.
pub struct State {
    /// Of its picture.
    pub name: &'static str,
    copies: Copies,
    /// Parameters that are not at their defaults, normalized.
    asked: &'static [(&'static str, f32)],
    /// In pixels.
    window: [u32; 2],
    scale: f32,
    appearance: Appearance,
    frames: Vec<Vec<Event>>,
    /// Between two of them, in seconds.
    step_s: f64,
}

impl State {
    fn new(name: &'static str, copies: Copies) -> Self {
        let (scale, appearance) = (1.0, Appearance::Dark);
        Self { name, copies, asked: &[], window: LAYOUT, scale, appearance, frames: Vec::new(), step_s: 0.05 }
    }

    fn light(self) -> Self {
        Self { appearance: Appearance::Light, ..self }
    }

    fn asked(self, asked: &'static [(&'static str, f32)]) -> Self {
        Self { asked, ..self }
    }

    fn window(self, window: [u32; 2], scale: f32) -> Self {
        Self { window, scale, ..self }
    }

    /// The pointer rests somewhere for a while, in points.
    fn pointed(self, at: Pos2) -> Self {
        let moved = || vec![Event::PointerMoved(at)];
        Self { frames: vec![moved(), vec![], vec![], vec![]], step_s: 0.5, ..self }
    }

    /// The Tab key is pressed so often.
    fn tabbed(self, times: usize) -> Self {
        let key = || Event::Key {
            key: egui::Key::Tab,
            physical_key: None,
            pressed: true,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        Self { frames: (0..times).map(|_| vec![key()]).collect(), ..self }
    }

    fn clicked(self, at: Pos2, times: usize) -> Self {
        let button = |pressed| Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        let click = || [vec![Event::PointerMoved(at), button(true)], vec![button(false)]];
        Self { frames: (0..times).flat_map(|_| click()).collect(), ..self }
    }

    /// What it looks like.
    pub fn picture(&self) -> Picture {
        let (params, ctx) = self.stage();
        let frames = (self.frames.as_slice(), self.step_s);
        canvas::shoot(&ctx, self.window, self.scale, frames, |ui| {
            editor::draw(ui, &params, &self.copies);
        })
    }

    /// What a frame of it costs, without its pixels.
    pub fn frame_time(&self) -> Duration {
        let (params, ctx) = self.stage();
        canvas::frame_time(&ctx, self.window, |ui| {
            editor::draw(ui, &params, &self.copies);
        })
    }

    fn stage(&self) -> (TributaryParams, Context) {
        let (params, ctx) = (TributaryParams::default(), Context::default());
        for (id, param, _) in params.param_map() {
            if let Some((_, position)) = self.asked.iter().find(|(asked, _)| *asked == id) {
                // SAFETY: the parameters outlive the pointer.
                unsafe { param._internal_set_normalized_value(*position) };
            }
        }
        editor::dress(&ctx);
        ctx.set_theme(self.appearance.theme());
        (params, ctx)
    }
}

/// All of them.
pub fn all() -> Vec<State> {
    let learning = |learning| Copies { learning, ..playing() };
    let enlarged = |stem, copies| Copies { enlarged: Some(stem), ..copies };
    let twice = LAYOUT.map(|points| 2 * points);
    vec![
        State::new("playing", playing()),
        State::new("light", playing()).light(),
        State::new("smallest", playing()).window(MIN_SIZE, 0.75),
        State::new("largest", playing()).window(twice, 2.0),
        State::new("wide", playing()).window([1500, 720], 1.0),
        State::new("tall", full()).window([1092, 900], 1.0),
        State::new("fresh", Copies::default()),
        State::new("silent", silent()),
        State::new("one-missing", one_missing()),
        State::new("loading", with(ModelState::Loading(0.4))),
        State::new("failed", failed()),
        State::new("underruns", underruns()),
        State::new("extremes", extremes()).asked(EXTREME),
        State::new("long-names", long_names()),
        State::new("listening", learning(listening())),
        State::new("analyzing", learning(analyzing())),
        State::new("learned", learning(learned())),
        State::new("pending", pending()),
        State::new("all-effects", full()).asked(STEERED),
        State::new("amounts", Copies { amounts_open: true, ..playing() }).asked(STEERED),
        State::new("amounts-light", Copies { amounts_open: true, ..full() }).asked(STEERED).light(),
        State::new("enlarged", enlarged(Stem::Vocals, full())),
        State::new("enlarged-light", enlarged(Stem::Drums, full())).light(),
        State::new("enlarged-learned", enlarged(Stem::Bass, learned_tone())),
        State::new("enlarged-waiting", enlarged(Stem::Other, playing())),
        State::new("network", enlarged(Stem::Vocals, network())),
        State::new("network-light", enlarged(Stem::Other, network())).light(),
        State::new("network-hidden", enlarged(Stem::Bass, page(Page::Network, NetworkCopy::Hidden))),
        State::new("in-the-mix", enlarged(Stem::Drums, explained())),
        State::new("in-the-mix-light", enlarged(Stem::Vocals, explained())).light(),
        State::new("in-the-mix-waiting", enlarged(Stem::Bass, page(Page::InMix, NetworkCopy::Idle))),
        State::new("history", Copies { history_open: true, history: history(), ..underruns() }),
        State::new("view-menu", playing()).clicked(pos2(956.0, 25.0), 1),
        State::new("model-menu", choices()).clicked(pos2(810.0, 25.0), 1),
        State::new("tooltip", playing()).pointed(pos2(90.0, 507.0)),
        State::new("typing", playing()).clicked(pos2(90.0, 507.0), 2),
        State::new("focus", playing()).tabbed(8),
    ]
}

/// Some of what can be turned.
const STEERED: &[(&str, f32)] = &[
    ("vocals_trim", 0.7),
    ("vocals_dynamics", 0.5),
    ("bass_trim", 0.4),
    ("bass_solo", 1.0),
    ("bass_equalization", 0.0),
    ("drums_mute", 1.0),
    ("other_leave_alone", 1.0),
    ("network", 0.6),
    ("loudness", 0.35),
    ("delta", 1.0),
];

/// Everything at an end.
const EXTREME: &[(&str, f32)] = &[
    ("mix", 0.0),
    ("gain", 0.0),
    ("bypass", 1.0),
    ("dry_source", 1.0),
    ("match_loudness", 1.0),
    ("vocals_trim", 0.0),
    ("vocals_mute", 1.0),
    ("bass_trim", 1.0),
    ("drums_loudness", 0.0),
    ("drums_reverb", 0.0),
    ("drums_width", 0.01),
];

fn with(state: ModelState) -> Copies {
    let mut copies = playing();
    copies.model.state = state;
    copies
}

fn failed() -> Copies {
    let reason = "ONNX Runtime was not found. Put libonnxruntime.so.1.28.0 beside the plug-in (folder Tributary) or set ORT_DYLIB_PATH.";
    with(ModelState::Failed(reason.into()))
}
fn listening() -> LearningCopy {
    LearningCopy::Listening {
        captured_s: 83.0,
        kept_s: 12.0,
        heard: [true, true, false, true],
        so_far: String::new(),
    }
}

fn analyzing() -> LearningCopy {
    LearningCopy::Analyzing { progress: 0.37, heard: [true; 4] }
}

fn learned() -> LearningCopy {
    LearningCopy::Learned {
        length_s: 211.0,
        unix_s: 1_780_000_000,
        stems: [true; 4],
        averages: true,
        message: None,
    }
}

/// The default model's parts in the standard mode at 48 kHz and blocks of 512 frames.
fn parts() -> Vec<(String, usize)> {
    [
        ("normalizer hop", 1_115),
        ("equalization filter", 1_115),
        ("panning window", 1_114),
        ("lookahead", 9_892),
        ("front end", 139),
        ("crossfade", 1_115),
        ("hop", 11_981),
        ("limiter", 108),
        ("resampling", 282),
        ("computing", 11_982),
        ("fade", 289),
        ("block", 512),
    ]
    .map(|(name, frames)| (name.to_owned(), frames))
    .into()
}

fn silent() -> Copies {
    Copies { stems: Default::default(), mix: MixCopy::default(), ..playing() }
}

fn one_missing() -> Copies {
    let mut copies = playing();
    copies.stems[3] = StemCopy::default();
    copies
}

fn underruns() -> Copies {
    Copies { load_ratio: 2.86, underruns: 1_317, ..playing() }
}

fn pending() -> Copies {
    let latency = LatencyCopy { mode: LatencyMode::Low, pending: true, ..playing().latency };
    Copies { latency, ..playing() }
}

fn choices() -> Copies {
    let mut copies = playing();
    copies.model.choices = ["default", "small", "sum", "mine"].map(str::to_owned).into();
    copies.model.choice = "default".into();
    copies
}

/// Every figure as far as it goes.
fn extremes() -> Copies {
    let mut copies = full();
    for stem in &mut copies.stems {
        stem.before_lufs = Some(3.0);
        stem.after_lufs = Some(-69.9);
        stem.gain_reduction_db = 40.0;
        stem.image = Some(ImageCopy { balance: -1.0, width: 0.5 });
        stem.corrections[5].value = "bounded, \u{2212}120.0 dB".into();
    }
    copies.mix = MixCopy {
        momentary_lufs: Some(6.0),
        short_term_lufs: Some(6.0),
        integrated_lufs: Some(-69.9),
        peak_db: Some(12.0),
        peak_hold_db: Some(12.3),
        over: true,
        correlation: Some(-1.0),
        true_peak_db: Some(14.2),
    };
    copies.load_ratio = 123.4;
    copies.underruns = 18_446_744;
    copies
}

/// Words as long as they may come.
fn long_names() -> Copies {
    let mut copies = full();
    copies.model.name = "orchestra-and-choir-of-the-small-town-2026-11".into();
    copies.model.version = "12.345.6789-beta.10".into();
    copies.stems[0].decision = "Left alone because it is bleed, about 18 LU or more below the loudest stem: not raised \
        (level \u{2212}24.0 dB); muffled: EQ \u{2212}2 to +14 dB; compressed 4.0:1; moved left; mono: side at \u{2212}15 dB."
        .into();
    copies.toolbar.targets.choice = "averages-of-all-the-choirs-of-the-valley-2019-2026".into();
    copies.toolbar.steps = [Some("Choose another model, and then the targets".into()), Some("Learn".into())];
    copies.notices = vec![
        "“orchestra-and-choir” cannot be used, the model before it stays: its files are broken.".into(),
        "The learned profile of this project was made with another model; it is kept and not used.".into(),
        "The last bounce lost 12.4 s in 31 places because the host does not wait; render it offline.".into(),
    ];
    copies
}

/// A song of five minutes that begins softly and pauses once; two underruns.
fn history() -> Vec<HistoryPoint> {
    let point = |second: usize| HistoryPoint {
        short_term_lufs: (!(140..150).contains(&second))
            .then(|| -16.0 - 12.0 * (-(second as f32) / 20.0).exp() + 3.0 * (second as f32 * 0.11).sin()),
        underruns: u64::from([90, 231].contains(&second)),
    };
    (0..300).map(point).collect()
}

/// A tone that is dull above 4 kHz, and what mends it.
fn tone() -> TonePortrait {
    let octaves = |band: usize| (TonePortrait::center_hz(band) / 200.0).log2();
    let target = |band: usize| -6.0 - 5.5 * octaves(band).abs().powf(1.1);
    let lacks = |band: usize| (octaves(band) - 3.6).max(0.0) * 4.0;
    let measured = |band: usize| target(band) - lacks(band) + 3.0 * (band as f32 * 1.3).sin();
    TonePortrait {
        measured_db: Some(std::array::from_fn(measured)),
        target_db: std::array::from_fn(target),
        spread_db: [6.0; TonePortrait::BANDS],
        applied_db: std::array::from_fn(|band| lacks(band) - 1.0),
    }
}

fn page(page: Page, network: NetworkCopy) -> Copies {
    Copies { page, network, ..full() }
}

/// Nine seconds of masks that follow beats, more so in the sides and upwards.
fn network() -> Copies {
    let bands_hz: Vec<f32> = (0..16).map(|band| 60.0 * 1.42_f32.powi(band)).collect();
    let gain_db = |column: usize, part: usize, band: usize| {
        let beat = (-((column % 8) as f32) / 3.0).exp();
        let slow = (column as f32 * 0.07 + band as f32 * 0.4).sin();
        (0.5 + 0.4 * part as f32) * (1.6 * beat * (band as f32 / 15.0) - 0.9 * slow - 0.3)
    };
    let columns = (0..90)
        .map(|column| std::array::from_fn(|part| std::array::from_fn(|band| gain_db(column, part, band))));
    page(Page::Network, NetworkCopy::Masks(Box::new(MasksCopy { bands_hz, columns: columns.collect() })))
}

/// One stem with a hole in its curve, one on one side, one that is not found, one that rests.
fn explained() -> Copies {
    let band = |band: usize, gain_db: f32| {
        let octaves = (center_hz(band) / 1_000.0).log2() as f32;
        let hole = (11..13).contains(&band) || !(3..=28).contains(&band);
        let error_db = 0.2 + 0.12 * octaves.abs();
        (!hole).then_some(BandGain { gain_db: gain_db + 1.4 * (1.7 * octaves).sin(), error_db })
    };
    let stem = |gain_db: f32, pan: f32| StemInMix {
        gain_db,
        error_db: 0.12,
        level_lu: gain_db - 6.3,
        left_db: (pan < 0.9).then_some(gain_db - 4.0 * pan),
        right_db: Some(gain_db + 4.0 * pan),
        pan,
        inverted: false,
        curve: std::array::from_fn::<_, THIRD_OCTAVES, _>(|index| band(index, gain_db)),
    };
    let stems =
        [Found::Audible(stem(2.4, 0.0)), Found::Silent, Found::Audible(stem(-3.1, 0.3)), Found::Unclear];
    let explanation = Explanation { explained_share: 0.94, heard_s: 27.0, stems };
    Copies { explanation: Some(Box::new(explanation)), ..page(Page::InMix, NetworkCopy::Idle) }
}

/// A preset, two snapshots, one step to be undone.
fn toolbar() -> ToolbarCopy {
    let of_model = TargetsCopy { choice: "model".into(), ..TargetsCopy::default() };
    ToolbarCopy {
        preset: Some(1),
        snapshots: [SnapshotCopy::Same, SnapshotCopy::Different, SnapshotCopy::Empty, SnapshotCopy::Empty],
        steps: [Some("Recall snapshot A".into()), None],
        targets: of_model,
    }
}

/// With a recipe that has every effect.
fn full() -> Copies {
    let mut copies = Copies { toolbar: toolbar(), ..playing() };
    let places = [(-0.1, 0.05), (0.0, 0.0), (0.05, 0.32), (0.4, 0.2)];
    for (stem, (balance, width)) in copies.stems.iter_mut().zip(places) {
        let values =
            ["\u{2212}18.0 dB", "muffled, +12.0 dB", "\u{2212}3.2 dB", "12 % left", "side \u{2212}15.2 dB"];
        for (correction, value) in stem.corrections.iter_mut().zip(values) {
            *correction = CorrectionCopy { value: value.into(), in_force: true };
        }
        stem.image = Some(ImageCopy { balance, width });
        stem.compressor = Some(CompressorCopy { ratio: 4.0, threshold_db: -22.0 });
        stem.gain_reduction_db = 5.4;
        stem.tone = Some(Box::new(tone()));
        stem.decision = "Decided: muffled: EQ \u{2212}1 to +12 dB; compressed 4.0:1; level +7.2 dB.".into();
    }
    copies
}

/// With a learned profile nothing is estimated.
fn learned_tone() -> Copies {
    let mut copies = Copies { learning: learned(), ..full() };
    for stem in &mut copies.stems {
        stem.tone = Some(Box::new(TonePortrait { measured_db: None, ..tone() }));
    }
    copies
}

/// With the default model: its recipe has width and loudness.
fn playing() -> Copies {
    let correction = |value: &str| CorrectionCopy {
        value: value.into(),
        in_force: !["\u{2013}", "as it is"].contains(&value),
    };
    let stem = |before: f32, after: f32, width: &str, gain: &str| StemCopy {
        signal: true,
        seen: true,
        before_lufs: Some(before),
        after_lufs: Some(after),
        image: Some(ImageCopy { balance: 0.0, width: 0.1 }),
        corrections: ["\u{2013}", "\u{2013}", "\u{2013}", "\u{2013}", width, &format!("{gain} dB")]
            .map(correction),
        gain_reduction_db: 0.0,
        compressor: None,
        tone: None,
        decision: format!("Decided: as it came; level {gain} dB."),
    };
    let mut bass = stem(-19.8, -24.6, "as it is", "−4.8");
    bass.signal = false;
    Copies {
        stems: [
            stem(-27.3, -20.1, "side −38.5 dB", "+7.2"),
            bass,
            stem(-14.2, -19.3, "side −18.9 dB", "−5.1"),
            stem(-22.0, -25.4, "as it is", "−3.4"),
        ],
        mix: MixCopy {
            momentary_lufs: Some(-14.2),
            integrated_lufs: Some(-15.1),
            short_term_lufs: Some(-14.9),
            peak_db: Some(-4.1),
            peak_hold_db: Some(-2.6),
            over: false,
            correlation: Some(0.62),
            true_peak_db: Some(-1.2),
        },
        model: ModelCopy {
            name: "default".into(),
            version: "0.1.0".into(),
            trained_on: "Generated songs.".into(),
            state: ModelState::Ready,
            ..ModelCopy::default()
        },
        latency: LatencyCopy {
            sample_rate_hz: 48_000.0,
            total_samples: parts().iter().map(|(_, frames)| frames).sum(),
            parts: parts(),
            mode: LatencyMode::Standard,
            offered: [true; 4],
            ..LatencyCopy::default()
        },
        load_ratio: 0.23,
        underruns: 2,

        learning: LearningCopy::Adaptive { message: None },
        ..Copies::default()
    }
}
