//! The window into a running engine, shared by the plug-in, its editor and its saved state.
//!
//! The plug-in puts each new engine's telemetry here; editor and state read copies. It outlives the engine, so that a
//! project saved after the host has deactivated the plug-in still says how the run went.

use crate::change::{Change, Playing};
use crate::editor::learning::{LearningAction, LearningCopy};
use crate::editor::theme::decimal;
use crate::editor::{CORRECTIONS_MAX, Copies, LatencyCopy, MixCopy, ModelCopy, ModelState, StemCopy};
use crate::host::HostLink;
use crate::instance::{Activation, Instance, ModelFacts};
use crate::learned::{LearnedField, Learner};
use crate::models::{ModelField, Models};
use crate::params::TributaryParams;
use crate::session::Source;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use tributary_dsp::StemReading;
use tributary_engine::HEARD_THRESHOLD;
use tributary_engine::{
    EngineHandle, EnginePlayer, EngineState, LatencyMode, LatencyReport, LearnedProfile, Learning,
    LearningPhase, ModelName, RenderReport, Report, StemLevels, StemTelemetry, Telemetry,
};

/// Loudness at or below this is shown as silence.
const SILENCE_LUFS: f32 = -70.0;

/// See the module.
#[derive(Default)]
pub struct Monitor {
    models: Models,
    /// The model that the project has chosen.
    pub(crate) chosen: Arc<ModelField>,
    state: Mutex<State>,
    /// Underruns before the last reset.
    pub(crate) forgiven_underruns: AtomicU64,
    host: Arc<HostLink>,
    /// A song is being listened to or analyzed, which a restart would end.
    is_learning: AtomicBool,
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) run: Option<Run>,
    /// The deck's other end, while the plug-in is active.
    pub(crate) playing: Option<Playing>,
    /// Activations so far.
    pub(crate) activations: u64,
    /// Names of the models to choose from.
    listed: Vec<String>,
    /// What has come of the last change of model.
    pub(crate) notice: Option<String>,
    /// How the last render went, if the present run has not rendered.
    pub(crate) last_render: Option<RenderReport>,
    /// Threads that open a model or end an engine: none may outlive the activation, since the host may unload the plug-in.
    pub(crate) threads: Vec<JoinHandle<()>>,
}

/// The engine that runs or ran last.
pub(crate) struct Run {
    /// The engine, as long as it runs.
    pub(crate) handle: Option<EngineHandle>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) learning: Arc<Learning>,
    latency: LatencyReport,
    pub(crate) model: ModelName,
    facts: ModelFacts,
}

impl Run {
    /// A run whose learning is told to its monitor.
    pub(crate) fn new(handle: EngineHandle, facts: ModelFacts, monitor: Weak<Monitor>) -> Self {
        handle.learning().observe(Box::new(move |learned| {
            if let Some(monitor) = monitor.upgrade() {
                monitor.learning_has_ended(learned);
            }
        }));
        Self {
            telemetry: Arc::clone(handle.telemetry()),
            learning: Arc::clone(handle.learning()),
            latency: handle.latency().clone(),
            model: handle.model().clone(),
            facts,
            handle: Some(handle),
        }
    }

    /// How this run's last render went.
    pub(crate) fn render(&self) -> Option<RenderReport> {
        self.telemetry.render(self.latency.rate_hz)
    }
}

impl State {
    /// How the last render went, `None` when there was none yet.
    fn render(&self) -> Option<RenderReport> {
        self.run.as_ref().and_then(Run::render).or_else(|| self.last_render.clone())
    }
}

impl Monitor {
    /// A window into the engines of one plug-in.
    pub fn new(models: Models, chosen: Arc<ModelField>) -> Self {
        Self { models, chosen, ..Self::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where models are looked for.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// What the host is told.
    pub fn host(&self) -> &Arc<HostLink> {
        &self.host
    }

    /// Whether the host should be asked for a restart now: for a setting that needs one – but not while a song is being
    /// learned, which it would end –, or to read the latency. True once per change. Real-time safe.
    pub fn take_restart(&self, params: &TributaryParams) -> bool {
        let for_setting = !self.is_learning.load(Relaxed) && params.take_restart();
        let wanted = self.host.take_untold_latency() | for_setting;
        if wanted {
            self.host.wish();
        }
        wanted
    }

    /// Another latency mode. It begins when the host restarts the plug-in.
    pub fn choose_latency(&self, mode: LatencyMode, params: &TributaryParams) {
        if params.latency.chosen() != mode {
            params.latency.choose(mode);
            self.host.project_changed();
        }
    }

    /// On the learning thread: it has nothing to do any more.
    fn learning_has_ended(&self, learned: bool) {
        self.note_learning();
        if learned {
            self.host.project_changed();
        }
    }

    /// Looks whether a song is being learned. Under the lock, so that what is noted last is what is true.
    fn note_learning(&self) {
        let state = self.lock();
        let phase =
            state.run.as_ref().filter(|run| run.handle.is_some()).map(|run| run.learning.status().phase);
        let is_learning = matches!(phase, Some(LearningPhase::Listening | LearningPhase::Analyzing));
        self.is_learning.store(is_learning, Relaxed);
    }

    /// Looks which models there are now. Reads folders.
    pub fn list_models(&self) {
        let listed = self.models.names();
        self.lock().listed = listed;
    }

    /// Keeps an engine from now on and puts in force what was learned before it. Returns what the audio thread plays.
    pub fn activated(
        self: &Arc<Self>,
        activation: Activation,
        instance: Instance,
        learned: &LearnedField,
    ) -> EnginePlayer {
        let Instance { audio, handle, facts } = instance;
        let refused = learned.take_over().and_then(|profile| handle.learning().restore(profile).err());
        learned.set_notice(refused);
        self.list_models();
        self.forgiven_underruns.store(0, Relaxed);
        let (deck, control) = EnginePlayer::new(audio, activation.sample_rate_hz, activation.max_block);
        let mut state = self.lock();
        state.notice = None;
        state.last_render = state.render();
        state.run = Some(Run::new(handle, facts, Arc::downgrade(self)));
        self.is_learning.store(false, Relaxed);
        state.activations += 1;
        state.playing = Some(Playing { activation, control, change: None, number: state.activations });
        deck
    }

    /// Ends the engines and keeps the last figures of the run.
    pub fn deactivated(&self) {
        let mut state = self.lock();
        let handle = state.run.as_mut().and_then(|run| run.handle.take());
        let playing = state.playing.take();
        let threads = std::mem::take(&mut state.threads);
        self.is_learning.store(false, Relaxed);
        drop(state);
        // Joins the workers and what may want the lock, so without it.
        drop((handle, playing));
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// Counts underruns from now.
    pub fn reset_underruns(&self) {
        if let Some(run) = &self.lock().run {
            self.forgiven_underruns.store(run.telemetry.underruns.load(Relaxed), Relaxed);
        }
    }

    /// Does what the user asks for.
    pub fn learning(&self, action: LearningAction, learned: &LearnedField) {
        let Some(learning) = self.current_learning() else { return };
        match action {
            LearningAction::Learn => learning.start(),
            LearningAction::Analyze => learning.finish(),
            LearningAction::Cancel => learning.cancel(),
            LearningAction::Forget => {
                learned.clear();
                learning.forget();
                self.host.project_changed();
            }
        }
        self.note_learning();
    }

    fn current_learning(&self) -> Option<Arc<Learning>> {
        self.settle();
        self.lock().run.as_ref().map(|run| Arc::clone(&run.learning))
    }

    /// What the editor shows. Allocates: for the GUI thread.
    pub fn copies(&self, params: &TributaryParams) -> Copies {
        self.settle();
        // Asks back who is in force, so before the lock.
        let notice = params.learned.notice();
        let settings = [params.latency.notice(), params.model.notice()];
        let saved_render = params.session.loaded_render();
        let guard = self.lock();
        let lost = guard.render().or(saved_render).and_then(|render| render.words());
        let change = guard.playing.as_ref().and_then(|playing| playing.change.as_ref());
        let waiting = || "The other model begins when the host restarts Tributary.".to_owned();
        let change_words = change.map(Change::words).or_else(|| params.model.is_pending().then(waiting));
        let others = [change_words, lost, guard.notice.clone(), notice].into_iter().chain(settings);
        let chosen = LatencyCopy {
            mode: params.latency.chosen(),
            pending: params.latency.is_pending(),
            held: self.is_learning.load(Relaxed),
            offered: [true; 4],
            ..LatencyCopy::default()
        };
        let (choices, choice) = (guard.listed.clone(), params.model.chosen().name().to_owned());
        let Some(run) = &guard.run else {
            let notices = params.session.notices(&ModelName::default()).into_iter().chain(others.flatten());
            let model = ModelCopy { choices, choice, ..ModelCopy::default() };
            return Copies { notices: notices.collect(), latency: chosen, model, ..Copies::default() };
        };
        let remarks = [run.facts.notice.clone(), run.telemetry.remark().map(str::to_owned)];
        let notices = params.session.notices(&run.model).into_iter().chain(others.chain(remarks).flatten());
        let telemetry = &run.telemetry;
        let (levels, output) = (telemetry.levels(), telemetry.output());
        Copies {
            stems: std::array::from_fn(|index| stem(&telemetry.stems[index], &levels[index])),
            mix: MixCopy {
                momentary_lufs: audible(output.momentary_lufs),
                integrated_lufs: audible(output.integrated_lufs),
                peak_db: peak_db(telemetry.output_peak.get()),
                true_peak_db: audible(output.true_peak_db),
            },
            model: ModelCopy {
                name: run.model.name.clone(),
                version: run.model.version.clone(),
                trained_on: run.facts.trained_on.clone(),
                state: state(run),
                choices,
                choice,
                changing: change.is_some(),
            },
            latency: LatencyCopy {
                sample_rate_hz: run.latency.rate_hz,
                total_samples: run.latency.total_frames(),
                parts: run.latency.parts.iter().map(|part| (part.name.clone(), part.frames)).collect(),
                offered: run.facts.offered,
                ..chosen
            },
            load_ratio: telemetry.load.get(),
            underruns: telemetry
                .underruns
                .load(Relaxed)
                .saturating_sub(self.forgiven_underruns.load(Relaxed)),
            notices: notices.collect(),
            learning: if run.handle.is_some() { learning(&run.learning) } else { LearningCopy::Unavailable },
        }
    }
}

impl Source for Monitor {
    fn current(&self) -> Option<Report> {
        self.settle();
        let state = self.lock();
        let run = state.run.as_ref()?;
        Some(Report { render: state.render(), ..run.telemetry.report(run.model.clone(), &run.latency) })
    }
}

impl Learner for Monitor {
    fn profile(&self) -> Option<Arc<LearnedProfile>> {
        self.current_learning().and_then(|learning| learning.status().profile)
    }

    fn load(&self, profile: Option<LearnedProfile>) -> Option<String> {
        let learning = self.current_learning()?;
        let refused = match profile {
            Some(profile) => learning.restore(profile).err(),
            None => {
                learning.forget();
                None
            }
        };
        self.note_learning();
        refused
    }
}

fn learning(learning: &Learning) -> LearningCopy {
    let status = learning.status();
    match (status.phase, status.profile) {
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

fn state(run: &Run) -> ModelState {
    match run.telemetry.state() {
        // A failure stays in sight when the host deactivates the plug-in; it is why one looks.
        EngineState::Failed { reason } => ModelState::Failed(reason),
        _ if run.handle.is_none() => ModelState::Idle,
        EngineState::Loading { progress } => ModelState::Loading(progress),
        EngineState::Ready => ModelState::Ready,
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
        reading.equalization.map(|now| ("EQ gain", format!("{} dB", signed(now.gain_db)))),
        reading.dynamics.map(|now| ("Compression", format!("{} dB", signed(-now.gain_reduction_db)))),
        reading.panning.map(|now| ("Panning", side(now.side))),
        reading.width.map(|now| ("Width", width(now.added_side))),
        reading.loudness.map(|now| ("Gain", format!("{} dB", signed(now.gain_db)))),
    ];
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    debug_assert!(rows.len() <= CORRECTIONS_MAX);
    rows
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
        DynamicsReading, EqualizationReading, LoudnessReading, PanningReading, WidthReading,
    };

    #[test]
    fn before_the_first_activation_there_is_nothing() {
        let monitor = Monitor::default();
        let copies = monitor.copies(&TributaryParams::default());
        assert_eq!(copies.latency.offered, [true; 4], "any mode can be chosen for the first activation");
        assert_eq!(copies.model.choice, "default");
        let (latency, model) = (LatencyCopy::default(), ModelCopy::default());
        assert_eq!(Copies { latency, model, ..copies }, Copies::default());
        assert!(monitor.current().is_none());
        monitor.reset_underruns();
        monitor.deactivated();
    }

    #[test]
    fn corrections_read_well() {
        let reading = StemReading {
            equalization: Some(EqualizationReading { gain_db: -0.04 }),
            dynamics: Some(DynamicsReading { gain_reduction_db: 2.5, threshold_db: -20.0, ratio: 4.0 }),
            panning: Some(PanningReading { side: -0.25 }),
            width: Some(WidthReading { added_side: 0.25 }),
            loudness: Some(LoudnessReading { gain_db: 6.0 }),
        };
        let values: Vec<String> =
            corrections(&reading).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["0.0 dB", "−2.5 dB", "25 % L", "−12.0 dB side", "+6.0 dB"]);
    }

    #[test]
    fn compression_width_and_gain_show_without_the_equalizer() {
        let reading = StemReading {
            dynamics: Some(DynamicsReading { gain_reduction_db: 2.5, threshold_db: -20.0, ratio: 4.0 }),
            width: Some(WidthReading { added_side: 0.0 }),
            loudness: Some(LoudnessReading { gain_db: -3.0 }),
            ..StemReading::default()
        };
        let rows = corrections(&reading);
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Compression", "Width", "Gain"]);
        assert!(corrections(&StemReading::default()).is_empty());
    }

    #[test]
    fn silence_is_nothing() {
        assert_eq!(audible(-120.0), None);
        assert_eq!(audible(f32::NAN), None);
        assert_eq!(peak_db(0.0), None);
        assert_eq!(peak_db(1.0), Some(0.0));
    }
}
