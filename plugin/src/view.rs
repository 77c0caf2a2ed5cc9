//! What the editor shows: copies of the engine's figures in words and numbers. The only file that knows both.

use crate::editor::copies::{
    CORRECTIONS_MAX, Copies, LatencyCopy, LearningCopy, MixCopy, ModelCopy, ModelState, StemCopy,
};
use crate::editor::theme::decimal;
use crate::engines::{Change, Engines, Run, State};
use crate::params::TributaryParams;
use std::sync::atomic::Ordering::Relaxed;
use tributary_dsp::{GainLimit, StemReading};
use tributary_engine::{
    EngineState, HEARD_THRESHOLD, Learning, LearningPhase, ModelName, StemLevels, StemTelemetry, Telemetry,
};

/// Loudness at or below this is shown as silence.
const SILENCE_LUFS: f32 = -70.0;

/// What there is to show now. Allocates: for the GUI thread.
pub(crate) fn copies(engines: &Engines, params: &TributaryParams) -> Copies {
    engines.settle();
    // Asks back who is in force, so before the lock.
    let learned_notice = params.learned.notice();
    let state = engines.lock();
    let notices = notices(&state, params, learned_notice);
    let model = model(&state, params);
    let latency = latency(&state, params, engines.is_learning());
    let Some(run) = &state.run else {
        return Copies { notices, latency, model, ..Copies::default() };
    };
    let telemetry = &run.telemetry;
    let levels = telemetry.levels();
    Copies {
        stems: std::array::from_fn(|index| stem(&telemetry.stems[index], &levels[index])),
        mix: mix(telemetry),
        model,
        latency,
        load_ratio: telemetry.load.get(),
        underruns: run.underruns(),
        amounts_open: false,
        plain_crossfade: telemetry.is_ready() && !telemetry.has_masks(),
        notices,
        learning: if run.is_running() { learning(&run.learning) } else { LearningCopy::Unavailable },
    }
}

/// Sentences about what was loaded, what is going on, and what the engine has to remark.
fn notices(state: &State, params: &TributaryParams, learned: Option<String>) -> Vec<String> {
    let run = state.run.as_ref();
    let change = state.playing.as_ref().and_then(|playing| playing.change.as_ref());
    let waiting = || "The other model begins when the host restarts Tributary.".to_owned();
    let change = change.map(Change::words).or_else(|| params.model.is_pending().then(waiting));
    let render = state.render().or_else(|| params.session.loaded_render());
    let loaded = params.session.notices(run.map_or(&ModelName::default(), |run| &run.model));
    let others = [
        change,
        render.and_then(|render| render.words()),
        state.notice.clone(),
        learned,
        params.latency.notice(),
        params.model.notice(),
        params.window.notice(),
        run.and_then(|run| run.facts.notice.clone()),
        run.and_then(|run| run.telemetry.remark().map(str::to_owned)),
    ];
    loaded.into_iter().chain(others.into_iter().flatten()).collect()
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
        integrated_lufs: audible(output.integrated_lufs),
        peak_db: peak_db(telemetry.output_peak.get()),
        true_peak_db: audible(output.true_peak_db),
    }
}

fn learning(learning: &Learning) -> LearningCopy {
    let status = learning.status();
    match (status.phase, status.song) {
        _ if learning.normalization().is_none() => LearningCopy::Unavailable,
        (LearningPhase::Listening, _) => LearningCopy::Listening {
            captured_s: status.captured_s,
            kept_s: status.kept_s,
            heard: status.heard,
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

fn stem(arriving: &StemTelemetry, levels: &StemLevels) -> StemCopy {
    let signal = arriving.input_peak.get() > HEARD_THRESHOLD;
    let heard = arriving.heard.load(Relaxed) || audible(levels.before_integrated_lufs).is_some();
    StemCopy {
        signal,
        seen: signal || heard,
        before_lufs: audible(levels.before_lufs),
        after_lufs: audible(levels.after_lufs),
        corrections: corrections(&levels.correction),
        decision: levels.correction.decision(),
    }
}

/// The corrections in words and numbers, in the order of the chain: a row for every effect that does something.
fn corrections(reading: &StemReading) -> Vec<(&'static str, String)> {
    let signed = |value: f32| {
        let sign = if value >= 0.05 { "+" } else { "" };
        // −0.04 would read as “−0.0”.
        format!("{sign}{}", decimal(Some(if value.abs() < 0.05 { 0.0 } else { value })))
    };
    let side = |side: f32| match (side * 100.0).round() {
        0.0 => "center".to_owned(),
        side if side < 0.0 => format!("{:.0} % L", -side),
        side => format!("{side:.0} % R"),
    };
    let width = |side: f32| match side {
        0.0 => "as it is".to_owned(),
        side => format!("{} dB side", signed(20.0 * side.log10())),
    };
    let rows = [
        reading.equalization.map(|now| match now.fault {
            Some(fault) => ("EQ", format!("{}, {} dB", fault.name(), signed(largest(now.range_db)))),
            None => ("EQ gain", format!("{} dB", signed(now.gain_db))),
        }),
        reading.dynamics.map(|now| ("Compression", format!("{} dB", signed(-now.gain_reduction_db)))),
        reading.panning.map(|now| ("Panning", side(now.side))),
        reading.width.map(|now| ("Width", width(now.added_side))),
        reading.loudness.map(|now| match now.limit {
            Some(GainLimit::Bleed) => ("Gain", format!("bleed, {} dB", signed(now.gain_db))),
            Some(GainLimit::Bound) => ("Gain", format!("bounded, {} dB", signed(now.gain_db))),
            None => ("Gain", format!("{} dB", signed(now.gain_db))),
        }),
    ];
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    debug_assert!(rows.len() <= CORRECTIONS_MAX);
    rows
}

/// The cut or the boost, whichever is larger.
fn largest([cut, boost]: [f32; 2]) -> f32 {
    if -cut > boost { cut } else { boost }
}

fn audible(lufs: f32) -> Option<f32> {
    (lufs > SILENCE_LUFS && lufs.is_finite()).then_some(lufs)
}

fn peak_db(peak: f32) -> Option<f32> {
    audible(20.0 * peak.max(1e-9).log10())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::{
        DynamicsReading, EqualizationReading, Fault, LoudnessReading, PanningReading, WidthReading,
    };

    #[test]
    fn before_the_first_activation_there_is_nothing() {
        let copies = copies(&Engines::default(), &TributaryParams::default());
        assert_eq!(copies.latency.offered, [true; 4], "any mode can be chosen for the first activation");
        assert_eq!(copies.model.choice, "default");
        let (latency, model) = (LatencyCopy::default(), ModelCopy::default());
        assert_eq!(Copies { latency, model, ..copies }, Copies::default());
    }

    #[test]
    fn corrections_read_well() {
        let reading = StemReading {
            equalization: Some(EqualizationReading { gain_db: -0.04, fault: None, range_db: [0.0; 2] }),
            dynamics: Some(DynamicsReading { gain_reduction_db: 2.5, threshold_db: -20.0, ratio: 4.0 }),
            panning: Some(PanningReading { side: -0.25 }),
            width: Some(WidthReading { added_side: 0.25 }),
            loudness: Some(LoudnessReading { gain_db: 6.0, limit: None }),
        };
        let values: Vec<String> = corrections(&reading).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["0.0 dB", "−2.5 dB", "25 % L", "−12.0 dB side", "+6.0 dB"]);
    }

    #[test]
    fn compression_width_and_gain_show_without_the_equalizer() {
        let reading = StemReading {
            dynamics: Some(DynamicsReading { gain_reduction_db: 2.5, threshold_db: -20.0, ratio: 4.0 }),
            width: Some(WidthReading { added_side: 0.0 }),
            loudness: Some(LoudnessReading { gain_db: -3.0, limit: None }),
            ..StemReading::default()
        };
        let rows = corrections(&reading);
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Compression", "Width", "Gain"]);
        assert!(corrections(&StemReading::default()).is_empty());
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
        let rows = corrections(&reading);
        assert_eq!(rows[0], ("EQ", "muffled, +14.0 dB".into()));
        assert_eq!(rows[1], ("Gain", "bleed, −6.0 dB".into()));
    }

    #[test]
    fn silence_is_nothing() {
        assert_eq!(audible(-120.0), None);
        assert_eq!(audible(f32::NAN), None);
        assert_eq!(peak_db(0.0), None);
        assert_eq!(peak_db(1.0), Some(0.0));
    }
}
