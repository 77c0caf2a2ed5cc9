//! The engines of one plug-in: one starts with each activation and ends with it, another may take its place meanwhile
//! (`choice.rs`), and each is told what the user learns and forgets. What the user does beside turning parameters can be
//! undone (`steps.rs`, `undoing.rs`).
//!
//! They are shared by the plug-in, its editor and its saved state, and outlive every activation, so that a project saved
//! after the host has deactivated the plug-in still says how the run went.

mod choice;
mod learned_file;
mod playing;
mod run;
mod steps;
mod undoing;

pub(crate) use playing::Change;
pub(crate) use run::Run;
use steps::Step;

use crate::history::History;
use crate::host::HostLink;
use crate::instance::{Activation, Chosen, Files, Instance, ModelFacts};
use crate::models::ModelField;
use crate::params::TributaryParams;
use crate::saved::{
    Learned, LearnedField, Learner, LockedField, Locker, SettingField, SnapshotsField, Source,
};
use crate::targets::TargetsField;
use nice_plug::prelude::{BufferConfig, ProcessMode};
use playing::{Playing, Settled};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use tributary_dsp::{SongProfile, Stem};
use tributary_engine::{
    EngineHandle, EnginePlayer, LatencyMode, LearnedSong, Learning, RenderReport, Report,
};

/// See the module.
#[derive(Default)]
pub struct Engines {
    files: Files,
    /// The latency mode that the project has chosen.
    latency: Arc<SettingField<LatencyMode>>,
    /// The model that the project has chosen.
    model: Arc<ModelField>,
    /// The targets that the project has chosen.
    targets: Arc<TargetsField>,
    /// What the project has learned.
    learned: Arc<LearnedField>,
    /// What stems of the project are locked at.
    locked: Arc<LockedField>,
    /// The snapshots of the project.
    snapshots: Arc<SnapshotsField>,
    /// Never held together with the state.
    history: Mutex<History<Step>>,
    host: Arc<HostLink>,
    state: Mutex<State>,
    /// A song is being listened to or analyzed, which a restart would end.
    is_learning: AtomicBool,
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    /// The engine that runs or ran last.
    pub(crate) run: Option<Run>,
    /// The player's other end, while the plug-in is active.
    pub(crate) playing: Option<Playing>,
    /// Activations so far.
    activations: u64,
    /// Names of the models to choose from.
    pub(crate) listed: Vec<String>,
    /// Names of the targets to choose from.
    pub(crate) listed_targets: Vec<String>,
    /// Names of the learned profiles to choose from.
    pub(crate) listed_learned: Vec<String>,
    /// What has come of the last change of model, or of the last file.
    pub(crate) notice: Option<String>,
    /// How the last render went, if the present run has not rendered.
    last_render: Option<RenderReport>,
    /// The profile that was there when the user began to learn.
    before_learning: Learned,
    /// Threads that open a model or end an engine: none may outlive the activation, since the host may unload the plug-in.
    threads: Vec<JoinHandle<()>>,
}

impl State {
    /// How the last render went, `None` when there was none yet.
    pub(crate) fn render(&self) -> Option<RenderReport> {
        self.run.as_ref().and_then(Run::render).or_else(|| self.last_render.clone())
    }
}

impl Engines {
    /// The engines of a plug-in with these parameters, whose saved fields ask them from now on.
    pub(crate) fn new(files: Files, params: &TributaryParams) -> Arc<Self> {
        let engines = Arc::new(Self {
            files,
            latency: Arc::clone(&params.latency),
            model: Arc::clone(&params.model),
            targets: Arc::clone(&params.targets),
            learned: Arc::clone(&params.learned),
            locked: Arc::clone(&params.locked),
            snapshots: Arc::clone(&params.snapshots),
            ..Self::default()
        });
        let known: Weak<Self> = Arc::downgrade(&engines);
        params.session.attach(known.clone());
        params.learned.attach(known.clone());
        params.locked.attach(known);
        engines
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the host is told.
    pub fn host(&self) -> &Arc<HostLink> {
        &self.host
    }

    /// Starts an engine with the chosen model and latency mode, and puts in force what was learned before it and what stems are
    /// locked at, of those that `locks` names. Returns what the audio thread plays; nothing after an internal error, and the
    /// main input passes then.
    pub(crate) fn activate(
        self: &Arc<Self>,
        config: &BufferConfig,
        locks: [bool; Stem::COUNT],
    ) -> Option<EnginePlayer> {
        let activation = Activation::new(config, self.latency.activate());
        let chosen = Chosen { model: self.model.activate(), targets: self.targets.activate() };
        self.host.says_offline(config.process_mode == ProcessMode::Offline);
        let files = &self.files;
        // A panic must not reach the host.
        let started = catch_unwind(|| Instance::start(&activation, files, &chosen));
        let Instance { audio, handle, facts } = started.ok()?;
        self.host.latency_is(audio.latency_frames() as u32);
        let refused = self.learned.take_over().and_then(|song| handle.learning().restore(song).err());
        self.learned.set_notice(refused);
        handle.lock_at(self.locked.take_over(locks));
        self.list_choices();
        let (player, control) = EnginePlayer::new(audio, activation.sample_rate_hz, activation.max_block);
        let run = self.run(handle, facts);
        let mut state = self.lock();
        state.notice = None;
        state.last_render = state.render();
        state.run = Some(run);
        self.is_learning.store(false, Relaxed);
        state.activations += 1;
        state.playing = Some(Playing { activation, control, change: None, number: state.activations });
        Some(player)
    }

    /// Ends the engines and keeps the last figures of the run.
    pub(crate) fn deactivate(&self) {
        self.latency.deactivate();
        self.model.deactivate();
        self.targets.deactivate();
        let mut state = self.lock();
        let handle = state.run.as_mut().and_then(Run::end);
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

    /// A run that says when a song is learned.
    fn run(self: &Arc<Self>, handle: EngineHandle, facts: ModelFacts) -> Run {
        let engines = Arc::downgrade(self);
        Run::new(handle, facts, move |learned| {
            if let Some(engines) = engines.upgrade() {
                engines.learning_has_ended(learned);
            }
        })
    }

    /// Starts a thread that ends before the activation does. Without one the work is dropped.
    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) -> bool {
        let spawned = std::thread::Builder::new().name(name.into()).spawn(work);
        let mut state = self.lock();
        state.threads.retain(|thread| !thread.is_finished());
        let started = spawned.is_ok();
        state.threads.extend(spawned);
        started
    }

    /// Notes what the player has done with the other engine, and ends the one that does not play any more.
    pub(crate) fn settle(&self) {
        let mut state = self.lock();
        let State { run, playing, notice, last_render, .. } = &mut *state;
        let Some(settled) = playing.as_mut().and_then(Playing::collect) else { return };
        let ended = match settled {
            Settled::Replaced(side, coming) => {
                self.model.came_in_force();
                self.targets.came_in_force();
                let before = run.replace(*coming);
                if let (Some(before), Some(run)) = (&before, run) {
                    *last_render = before.render().or(last_render.take());
                    run.telemetry.hear_as(&before.telemetry);
                }
                drop(state);
                (side, before)
            }
            Settled::Refused(side, coming, words) => {
                *notice = Some(words);
                drop(state);
                self.give_up();
                (side, Some(*coming))
            }
        };
        // Joins a worker, which may be in the middle of a hop. Without a thread it is dropped here.
        self.spawn("tributary-ending", move || drop(ended));
    }

    /// Whether the host should be asked for a restart now: for a setting that needs one – but not while a song is being
    /// learned, which it would end –, or to read the latency. True once per change. Real-time safe.
    pub fn take_restart(&self) -> bool {
        let for_setting = !self.is_learning() && self.take_setting();
        let wanted = self.host.take_untold_latency() | for_setting;
        if wanted {
            self.host.wish();
        }
        wanted
    }

    fn take_setting(&self) -> bool {
        self.latency.take_restart() | self.model.take_restart() | self.targets.take_restart()
    }

    /// Another latency mode. It begins when the host restarts the plug-in.
    pub fn choose_latency(&self, mode: LatencyMode) {
        if self.latency.chosen() != mode {
            self.latency.choose(mode);
            self.host.project_changed();
        }
    }

    /// Looks which models, targets and learned profiles there are now. Reads folders.
    pub(crate) fn list_choices(&self) {
        let (models, targets) = (self.files.models.names(), self.files.targets.names());
        let learned = self.files.learned.names();
        let mut state = self.lock();
        state.listed_learned = learned;
        state.listed = models;
        state.listed_targets = targets;
    }

    /// Counts underruns from now.
    pub fn reset_underruns(&self) {
        if let Some(run) = &mut self.lock().run {
            run.forgive_underruns();
        }
    }
}

/// Learning a song.
impl Engines {
    /// Whether a song is listened to or analyzed. Real-time safe.
    pub(crate) fn is_learning(&self) -> bool {
        self.is_learning.load(Relaxed)
    }

    /// Listens to the song.
    pub fn learn(&self) {
        let before = self.learned.present();
        self.lock().before_learning = before;
        self.with_learning(Learning::start);
    }

    /// Stops listening and analyzes what was heard.
    pub fn analyze(&self) {
        self.with_learning(Learning::finish);
    }

    /// Stops listening or analyzing.
    pub fn cancel_learning(&self) {
        self.with_learning(Learning::cancel);
    }

    /// Adapts again.
    pub fn forget(&self) {
        let before = self.learned.present();
        let forgotten = self.with_learning(|learning| {
            self.learned.clear();
            learning.forget();
        });
        if forgotten.is_some() {
            self.did(Step::learned("Forget", before, None));
        }
    }

    /// Puts a profile in force, or none; returns a sentence when it cannot be used.
    fn restore(&self, song: Option<LearnedSong>) -> Option<String> {
        self.with_learning(|learning| match song {
            Some(song) => learning.restore(song).err(),
            None => {
                learning.forget();
                None
            }
        })?
    }

    /// Nothing is done before the first activation.
    fn with_learning<R>(&self, act: impl FnOnce(&Learning) -> R) -> Option<R> {
        let result = act(&*self.current_learning()?);
        self.note_learning();
        Some(result)
    }

    fn current_learning(&self) -> Option<Arc<Learning>> {
        self.settle();
        self.lock().run.as_ref().map(|run| Arc::clone(&run.learning))
    }

    /// On the learning thread: it has nothing to do any more.
    fn learning_has_ended(&self, learned: bool) {
        self.note_learning();
        if learned {
            let before = self.lock().before_learning.take();
            self.did(Step::learned("Learn", before, self.song()));
        }
    }

    /// Looks whether a song is being learned. Under the lock, so that what is noted last is what is true.
    fn note_learning(&self) {
        let state = self.lock();
        self.is_learning.store(state.run.as_ref().is_some_and(Run::is_learning), Relaxed);
    }
}

impl Source for Engines {
    fn current(&self) -> Option<Report> {
        self.settle();
        let state = self.lock();
        let run = state.run.as_ref()?;
        Some(Report { render: state.render(), ..run.report() })
    }
}

impl Learner for Engines {
    fn song(&self) -> Option<Arc<LearnedSong>> {
        self.current_learning().and_then(|learning| learning.status().song)
    }

    /// With another project: what was done in the one before it cannot be undone in this one.
    fn load(&self, song: Option<LearnedSong>) -> Option<String> {
        self.forget_steps();
        self.restore(song)
    }
}

impl Locker for Engines {
    fn locked(&self) -> Option<SongProfile> {
        self.settle();
        Some(self.lock().run.as_ref()?.telemetry.locked())
    }

    fn load(&self, locked: SongProfile) {
        self.settle();
        if let Some(run) = &self.lock().run {
            run.lock_at(locked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_first_activation_nothing_runs_and_nothing_fails() {
        let engines = Engines::default();
        assert!(engines.current().is_none() && engines.song().is_none());
        engines.learn();
        engines.forget();
        engines.reset_underruns();
        engines.settle();
        engines.deactivate();
        assert!(!engines.is_learning() && !engines.take_restart());
        assert_eq!(engines.host().changes(), 0);
    }
}
