//! What the editor shows: copies of the engine's figures in words and numbers. The only file that knows both.

use crate::editor::copies::{
    CompressorCopy, Copies, CorrectionCopy, ImageCopy, LatencyCopy, LearningCopy, MasksCopy, MixCopy,
    ModelCopy, ModelState, NetworkCopy, Page, SnapshotCopy, StemCopy, TargetsCopy, ToolbarCopy,
};
use crate::editor::stereo_image::place;
use crate::editor::theme::decimal;
use crate::engines::{Change, Engines, Run, State};
use crate::params::TributaryParams;
use crate::values::Values;
use std::sync::LazyLock;
use std::sync::atomic::Ordering::Relaxed;
use tributary_dsp::{Amounts, GainLimit, LoudnessReading, Stem, StemReading, TonePortrait};
use tributary_engine::{
    EngineState, HEARD_THRESHOLD, Learning, LearningPhase, ModelName, PRESETS, StemLevels, StemTelemetry,
    Telemetry,
};

/// Loudness at or below this is shown as silence.
const SILENCE_LUFS: f32 = -70.0;
/// Steps in which levels are shown, in dB; shares of the worker's time; and places between the speakers.
const SHOWN_DB: f32 = 0.1;
const SHOWN_LOAD: f32 = 0.01;
const SHOWN_PLACE: f32 = 0.005;

/// What there is to show now, and of one stem a page of it in full. Allocates: for the GUI thread.
pub(crate) fn copies(engines: &Engines, params: &TributaryParams, in_full: Option<(Stem, Page)>) -> Copies {
    engines.settle();
    // Asks back who is in force, so before the lock.
    let learned_notice = params.learned.notice();
    let toolbar = toolbar(engines, params);
    let state = engines.lock();
    let notices = notices(&state, params, learned_notice);
    let toolbar = ToolbarCopy { targets: targets(&state, params), ..toolbar };
    let model = model(&state, params);
    let latency = latency(&state, params, engines.is_learning());
    let Some(run) = &state.run else {
        return Copies { notices, latency, model, toolbar, ..Copies::default() };
    };
    let telemetry = &run.telemetry;
    telemetry.look();
    let levels = telemetry.levels();
    let mut stems = std::array::from_fn(|index| stem(&telemetry.stems[index], &levels[index]));
    let (mut shown_network, mut explanation) = (NetworkCopy::Idle, None);
    match in_full {
        Some((stem, Page::Corrections)) => {
            let tone = telemetry.tone_portraits()[stem.index()];
            // Before the first look there is none.
            stems[stem.index()].tone = (tone != TonePortrait::default()).then(|| Box::new(tone));
        }
        Some((stem, Page::Network)) => shown_network = network(telemetry, stem),
        Some((_, Page::InMix)) => explanation = telemetry.explanation().map(Box::new),
        None => {}
    }
    Copies {
        stems,
        mix: mix(telemetry),
        model,
        latency,
        toolbar,
        load_ratio: rounded(telemetry.load.get(), SHOWN_LOAD),
        underruns: run.underruns(),
        enlarged: in_full.map(|(stem, _)| stem),
        page: in_full.map_or_else(Page::default, |(_, page)| page),
        network: shown_network,
        explanation,
        plain_crossfade: telemetry.is_ready() && !telemetry.has_masks(),
        notices,
        learning: match run.is_running() {
            true => learning(&run.learning, &levels),
            false => LearningCopy::Unavailable,
        },
        learned_files: state.listed_learned.clone(),
        exports_next: run.is_running() && run.learning.exports(),
        ..Copies::default()
    }
}

/// What the network's masks did to a stem.
fn network(telemetry: &Telemetry, stem: Stem) -> NetworkCopy {
    if !telemetry.is_ready() {
        return NetworkCopy::Idle;
    }
    if !telemetry.shows_masks() {
        return NetworkCopy::Hidden;
    }
    let history = telemetry.masks();
    let columns = history.readings.iter().map(|reading| reading.gains_db[stem.index()]).collect();
    NetworkCopy::Masks(Box::new(MasksCopy { bands_hz: history.bands_hz, columns }))
}

/// What the factory presets set, in their order.
static PRESET_VALUES: LazyLock<Vec<Values>> =
    LazyLock::new(|| PRESETS.iter().map(|preset| preset.values().into_iter().collect()).collect());

fn toolbar(engines: &Engines, params: &TributaryParams) -> ToolbarCopy {
    let compare = |values: Option<Values>| match values {
        None => SnapshotCopy::Empty,
        Some(values) if params.are_at(&params.completed(&values)) => SnapshotCopy::Same,
        Some(_) => SnapshotCopy::Different,
    };
    let preset = PRESET_VALUES.iter().position(|values| params.are_at(values));
    let (snapshots, steps) = (params.snapshots.all().map(compare), engines.steps());
    ToolbarCopy { preset, snapshots, steps, ..ToolbarCopy::default() }
}

/// Sentences about what was loaded, what is going on, and what the engine has to remark.
fn notices(state: &State, params: &TributaryParams, learned: Option<String>) -> Vec<String> {
    let run = state.run.as_ref();
    let change = state.playing.as_ref().and_then(|playing| playing.change.as_ref());
    let waiting = || "What was chosen begins when the host restarts Tributary.".to_owned();
    let change = change
        .map(Change::words)
        .or_else(|| (params.model.is_pending() || params.targets.is_pending()).then(waiting));
    let render = state.render().or_else(|| params.session.loaded_render());
    let loaded = params.session.notices(run.map_or(&ModelName::default(), |run| &run.model));
    let others = [
        change,
        render.and_then(|render| render.words()),
        state.notice.clone(),
        learned,
        params.latency.notice(),
        params.model.notice(),
        params.targets.notice(),
        params.window.notice(),
        params.appearance.notice(),
        params.locked.notice(),
        params.snapshots.notice(),
        run.and_then(|run| run.facts.notice.clone()),
        run.and_then(|run| run.learning.status().exported),
        run.and_then(|run| run.telemetry.remark().map(str::to_owned)),
    ];
    loaded.into_iter().chain(others.into_iter().flatten()).collect()
}

fn targets(state: &State, params: &TributaryParams) -> TargetsCopy {
    let [name, source] = state.run.as_ref().map(|run| run.facts.targets.clone()).unwrap_or_default();
    let (choices, choice) = (state.listed_targets.clone(), params.targets.chosen().name().to_owned());
    TargetsCopy { choices, choice, name, source }
}

fn model(state: &State, params: &TributaryParams) -> ModelCopy {
    let (choices, choice) = (state.listed.clone(), params.model.chosen().name().to_owned());
    let Some(run) = &state.run else { return ModelCopy { choices, choice, ..ModelCopy::default() } };
    ModelCopy {
        name: run.model.name.clone(),
        version: run.model.version.clone(),
        trained_on: run.facts.trained_on.clone(),
        state: model_state(run),
        choices,
        choice,
        changing: state.playing.as_ref().is_some_and(|playing| playing.change.is_some()),
    }
}

fn model_state(run: &Run) -> ModelState {
    match run.telemetry.state() {
        // A failure stays in sight when the host deactivates the plug-in; it is why one looks.
        EngineState::Failed { reason } => ModelState::Failed(reason),
        _ if !run.is_running() => ModelState::Idle,
        EngineState::Loading { progress } => ModelState::Loading(progress),
        EngineState::Ready => ModelState::Ready,
    }
}

fn latency(state: &State, params: &TributaryParams, is_learning: bool) -> LatencyCopy {
    let chosen = LatencyCopy {
        mode: params.latency.chosen(),
        pending: params.latency.is_pending(),
        held: is_learning,
        offered: [true; 4],
        ..LatencyCopy::default()
    };
    let Some(run) = &state.run else { return chosen };
    LatencyCopy {
        sample_rate_hz: run.latency.rate_hz,
        total_samples: run.latency.total_frames(),
        parts: run.latency.parts.iter().map(|part| (part.name.clone(), part.frames)).collect(),
        offered: run.facts.offered,
        ..chosen
    }
}

fn mix(telemetry: &Telemetry) -> MixCopy {
    let output = telemetry.output();
    MixCopy {
        momentary_lufs: audible(output.momentary_lufs),
        short_term_lufs: audible(output.short_term_lufs),
        integrated_lufs: audible(output.integrated_lufs),
        correlation: output.image.map(|image| rounded(image.correlation, SHOWN_PLACE)),
        peak_db: peak_db(telemetry.output_peak.get()),
        true_peak_db: audible(output.true_peak_db),
        ..MixCopy::default()
    }
}

fn learning(learning: &Learning, levels: &[StemLevels; Stem::COUNT]) -> LearningCopy {
    let status = learning.status();
    match (status.phase, status.song) {
        _ if learning.normalization().is_none() => LearningCopy::Unavailable,
        (LearningPhase::Listening, learned) => LearningCopy::Listening {
            captured_s: status.captured_s,
            kept_s: status.kept_s,
            heard: status.heard,
            // What was learned before is in force meanwhile: nothing else is decided while it is.
            so_far: if learned.is_none() { so_far(levels, status.heard) } else { String::new() },
        },
        (LearningPhase::Analyzing, _) => {
            LearningCopy::Analyzing { progress: status.progress, heard: status.heard }
        }
        (LearningPhase::Learned, Some(learned)) => LearningCopy::Learned {
            length_s: learned.length_s,
            unix_s: learned.learned_unix_s,
            stems: learned.profile.0.each_ref().map(Option::is_some),
            averages: status.holds_statistics,
            message: status.message,
        },
        _ => LearningCopy::Adaptive { message: status.message },
    }
}

/// How loud each stem is that was heard, and what would be done about that: the running estimates come to it sooner or later.
fn so_far(levels: &[StemLevels; Stem::COUNT], heard: [bool; Stem::COUNT]) -> String {
    let of = |stem: Stem| {
        let StemLevels { before_integrated_lufs, correction, .. } = &levels[stem.index()];
        let lufs = audible(*before_integrated_lufs).filter(|_| heard[stem.index()])?;
        let loudness = correction.loudness?;
        let fault = correction.equalization.and_then(|now| now.fault);
        let fault = fault.map_or(String::new(), |fault| format!(", {}", fault.name()));
        let why = if loudness.limit == Some(GainLimit::Bleed) { ", bleed" } else { "" };
        Some(format!("{stem} {} LUFS {} dB{fault}{why}", decimal(Some(lufs)), signed(loudness.gain_db)))
    };
    Stem::ALL.into_iter().filter_map(of).collect::<Vec<_>>().join("; ")
}

fn stem(arriving: &StemTelemetry, levels: &StemLevels) -> StemCopy {
    let signal = arriving.input_peak.get() > HEARD_THRESHOLD;
    let heard = arriving.heard.load(Relaxed) || audible(levels.before_integrated_lufs).is_some();
    StemCopy {
        signal,
        seen: signal || heard,
        before_lufs: audible(levels.before_lufs),
        after_lufs: audible(levels.after_lufs),
        image: levels.image.map(|image| ImageCopy {
            balance: rounded(image.balance, SHOWN_PLACE),
            width: rounded(image.width, SHOWN_PLACE),
        }),
        corrections: corrections(&levels.correction),
        tone: None,
        compressor: levels
            .correction
            .dynamics
            .filter(|now| now.ratio > 1.0)
            .map(|now| CompressorCopy { ratio: now.ratio, threshold_db: now.threshold_db }),
        gain_reduction_db: levels
            .correction
            .dynamics
            .map_or(0.0, |now| rounded(now.gain_reduction_db, SHOWN_DB)),
        decision: decision(&levels.correction),
    }
}

/// The corrections in words and numbers, in the order of [`Amounts::NAMES`].
fn corrections(reading: &StemReading) -> [CorrectionCopy; Amounts::NAMES.len()] {
    let row = |value: Option<String>, in_force: bool| CorrectionCopy {
        in_force: in_force && value.is_some(),
        value: value.unwrap_or_else(|| "\u{2013}".into()),
    };
    let StemReading { equalization, dynamics, panning, width, reverb, loudness } = *reading;
    let tone = equalization.map(|now| match now.fault {
        Some(fault) => format!("{}, {} dB", fault.name(), signed(largest(now.range_db))),
        None if is_heard(largest(now.range_db)) => {
            format!("{} to {} dB", signed(now.range_db[0]), signed(now.range_db[1]))
        }
        None => "flat".to_owned(),
    });
    let reduced = dynamics.map(|now| match now.ratio > 1.0 {
        true => format!("{} dB", signed(-now.gain_reduction_db)),
        false => "as it is".to_owned(),
    });
    let placed = panning.map(|now| match (now.side, is_heard(now.balance_db)) {
        (_, true) => {
            let side = if now.balance_db > 0.0 { "right" } else { "left" };
            format!("{} dB {side}", decimal(Some(now.balance_db.abs())))
        }
        (0.0, false) => "as it is".to_owned(),
        (side, false) => place(side),
    });
    let widened = width.map(|now| match now.added_side {
        0.0 => "as it is".to_owned(),
        side => format!("side {} dB", signed(20.0 * side.log10())),
    });
    let gain = loudness.map(|now| {
        let why = now.limit.map_or("", |limit| match limit {
            GainLimit::Bleed => "bleed, ",
            GainLimit::Bound => "bounded, ",
        });
        format!("{why}{} dB", signed(now.gain_db))
    });
    [
        row(reverb.map(|now| format!("{} dB", signed(20.0 * now.send.log10()))), true),
        row(tone, equalization.is_some_and(|now| is_heard(largest(now.range_db)))),
        row(reduced, dynamics.is_some_and(|now| now.ratio > 1.0)),
        row(placed, panning.is_some_and(|now| now.side != 0.0 || is_heard(now.balance_db))),
        row(widened, width.is_some_and(|now| now.added_side > 0.0)),
        row(gain, loudness.is_some_and(|now| is_heard(now.gain_db))),
    ]
}

/// Whether a gain in dB is more than none, as it is shown.
fn is_heard(gain_db: f32) -> bool {
    gain_db.abs() >= 0.05
}

/// With its sign, and none for what is shown as 0.
fn signed(value: f32) -> String {
    let sign = if value >= 0.05 { "+" } else { "" };
    // −0.04 would read as “−0.0”.
    format!("{sign}{}", decimal(Some(if is_heard(value) { value } else { 0.0 })))
}

/// The decision as a sentence.
fn decision(reading: &StemReading) -> String {
    let words = reading.decision();
    let because = match reading.loudness {
        Some(LoudnessReading { limit: Some(GainLimit::Bleed), .. }) => "Left alone because it is ",
        Some(_) => "Decided: ",
        None => return "Nothing heard yet, or nothing to be done.".into(),
    };
    format!("{because}{words}.")
}

/// The cut or the boost, whichever is larger.
fn largest([cut, boost]: [f32; 2]) -> f32 {
    if -cut > boost { cut } else { boost }
}

/// As far as it is shown: what nobody sees is no reason to draw.
fn audible(lufs: f32) -> Option<f32> {
    (lufs > SILENCE_LUFS && lufs.is_finite()).then_some(rounded(lufs, SHOWN_DB))
}

fn rounded(value: f32, step: f32) -> f32 {
    (value / step).round() * step
}

fn peak_db(peak: f32) -> Option<f32> {
    audible(20.0 * peak.max(1e-9).log10())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::{
        DynamicsReading, EqualizationReading, Fault, LoudnessReading, PanningReading, ReverbReading,
        WidthReading,
    };

    #[test]
    fn before_the_first_activation_there_is_nothing() {
        let copies = copies(&Engines::default(), &TributaryParams::default(), None);
        assert_eq!(copies.latency.offered, [true; 4], "any mode can be chosen for the first activation");
        assert_eq!(copies.model.choice, "default");
        assert_eq!((copies.toolbar.targets.choice.as_str(), copies.toolbar.preset), ("model", Some(1)));
        let (latency, model, toolbar) =
            (LatencyCopy::default(), ModelCopy::default(), ToolbarCopy::default());
        assert_eq!(Copies { latency, model, toolbar, ..copies }, Copies::default());
    }

    fn values(reading: &StemReading) -> [String; 6] {
        corrections(reading).map(|correction| correction.value)
    }

    #[test]
    fn corrections_read_well_and_keep_their_places() {
        let reading = StemReading {
            equalization: Some(EqualizationReading { gain_db: -0.04, fault: None, range_db: [0.0; 2] }),
            dynamics: Some(DynamicsReading { gain_reduction_db: 2.5, threshold_db: -20.0, ratio: 4.0 }),
            panning: Some(PanningReading { side: -0.25, balance_db: 0.0 }),
            width: Some(WidthReading { added_side: 0.25 }),
            reverb: Some(ReverbReading { send: 0.5 }),
            loudness: Some(LoudnessReading { gain_db: 6.0, limit: None }),
        };
        assert_eq!(values(&reading), ["−6.0 dB", "flat", "−2.5 dB", "25 % left", "side −12.0 dB", "+6.0 dB"]);
        let in_force = corrections(&reading).map(|correction| correction.in_force);
        assert_eq!(in_force, [true, false, true, true, true, true]);
        assert_eq!(values(&StemReading::default()), ["–"; 6]);
        let idle = StemReading {
            dynamics: Some(DynamicsReading { gain_reduction_db: 0.0, threshold_db: 0.0, ratio: 1.0 }),
            width: Some(WidthReading { added_side: 0.0 }),
            loudness: Some(LoudnessReading { gain_db: -0.04, limit: None }),
            ..StemReading::default()
        };
        assert_eq!(values(&idle), ["–", "–", "as it is", "–", "as it is", "0.0 dB"]);
        assert!(corrections(&idle).iter().all(|correction| !correction.in_force));
    }

    #[test]
    fn what_learning_would_find_is_said_of_the_stems_that_are_heard() {
        let with = |gain_db, limit| StemLevels {
            before_integrated_lufs: -18.2,
            correction: StemReading {
                loudness: Some(LoudnessReading { gain_db, limit }),
                equalization: Some(EqualizationReading {
                    gain_db: 0.0,
                    fault: Some(Fault::Muffled),
                    range_db: [-1.0, 14.0],
                }),
                ..StemReading::default()
            },
            ..StemLevels::default()
        };
        let levels =
            [with(3.0, None), with(9.0, None), StemLevels::default(), with(-6.0, Some(GainLimit::Bleed))];
        assert_eq!(
            so_far(&levels, [true, false, true, true]),
            "vocals −18.2 LUFS +3.0 dB, muffled; other −18.2 LUFS −6.0 dB, muffled, bleed"
        );
        assert_eq!(so_far(&Default::default(), [true; 4]), "");
    }

    #[test]
    fn a_balance_says_its_side() {
        let of = |balance_db| {
            let panning = Some(PanningReading { side: 0.0, balance_db });
            values(&StemReading { panning, ..StemReading::default() })[3].clone()
        };
        assert_eq!([of(-3.0), of(0.0), of(1.25)], ["3.0 dB left", "as it is", "1.2 dB right"]);
    }

    #[test]
    fn what_is_mended_and_what_is_left_is_said() {
        let reading = StemReading {
            equalization: Some(EqualizationReading {
                gain_db: 0.0,
                fault: Some(Fault::Muffled),
                range_db: [-1.0, 14.0],
            }),
            loudness: Some(LoudnessReading { gain_db: -6.0, limit: Some(GainLimit::Bleed) }),
            ..StemReading::default()
        };
        let [_, tone, .., gain] = values(&reading);
        assert_eq!((tone.as_str(), gain.as_str()), ("muffled, +14.0 dB", "bleed, −6.0 dB"));
        assert!(decision(&reading).starts_with("Left alone because it is bleed"));
        assert!(decision(&StemReading::default()).starts_with("Nothing heard yet"));
    }

    #[test]
    fn silence_is_nothing() {
        assert_eq!(audible(-120.0), None);
        assert_eq!(audible(f32::NAN), None);
        assert_eq!(peak_db(0.0), None);
        assert_eq!(peak_db(1.0), Some(0.0));
    }
}
