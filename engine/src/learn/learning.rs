//! Learned profiles: the plug-in listens while the song plays once, measures the four stems as a whole file, runs the
//! network over them for what it averages, and keeps the result. [`Learning`] is the main thread's handle, to be shared
//! with an editor; the work is done on a thread of its own, which takes chunks from the worker, writes them to a temporary
//! file, measures it, and hands the worker the finished corrections. Nothing here is known to the audio thread.
//!
//! ```text
//! Adaptive ──start──▶ Listening ──finish, or the limit──▶ Analyzing ──▶ Learned ──forget──▶ Adaptive
//!                         └── cancel, an error ──┴─▶ back to Adaptive, or to the profile learned before
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tributary_dsp::{CorrectionSource, Corrections, LockedCorrections, SongProfile};

use super::analysis::LearnedNetwork;
use super::capture::CaptureLimits;
use super::chunk_channel::{MayWait, chunk_channel};
use super::learned::{LearnedSong, LearningPhase, LearningStatus, Normalization};
use super::learning_thread::LearningThread;
use super::state::{Command, LearningObserver, Run, State, lock};
use crate::bundle::statistics::Statistics;
use crate::patient_thread::PatientThread;

const NO_MODEL: &str = "There is no model to learn for.";
const FOREIGN: &str = "This project's learned profile belongs to a model that normalizes otherwise, or to other targets, so \
                       Tributary adapts while playing. Learn again, or choose what it belongs to.";

/// The main thread's handle. All methods return at once and may be called from any thread but the audio thread.
pub struct Learning {
    normalization: Option<Arc<Normalization>>,
    /// The network to learn for; none when it averages nothing.
    network: Option<Arc<LearnedNetwork>>,
    may_wait: MayWait,
    commands: Sender<Command>,
    state: Arc<Mutex<State>>,
    observer: Arc<OnceLock<LearningObserver>>,
}

impl Learning {
    /// A handle, and the commands it gives. Without a normalization it refuses to learn.
    pub(crate) fn new(
        normalization: Option<Normalization>,
        network: Option<LearnedNetwork>,
        may_wait: MayWait,
    ) -> (Self, Receiver<Command>) {
        let (commands, receiver) = unbounded();
        let (normalization, network) = (normalization.map(Arc::new), network.map(Arc::new));
        let state = Arc::new(Mutex::new(State::default()));
        (Self { normalization, network, may_wait, commands, state, observer: Arc::default() }, receiver)
    }

    /// Names who is told when a run has ended. Only the first call counts.
    pub fn observe(&self, observer: LearningObserver) {
        let _ = self.observer.set(observer);
    }

    /// A copy of the present state.
    pub fn status(&self) -> LearningStatus {
        lock(&self.state).status.clone()
    }

    /// What a profile is learned for; `None` without a model.
    pub fn normalization(&self) -> Option<&Normalization> {
        self.normalization.as_deref()
    }

    /// Where the next song that is learned is also written, as its normalized stems in a new folder; `None` for nowhere. Holds
    /// for one song.
    pub fn export_to(&self, folder: Option<PathBuf>) {
        lock(&self.state).export = folder;
    }

    /// Whether the next song is written.
    pub fn exports(&self) -> bool {
        lock(&self.state).export.is_some()
    }

    /// Begins to listen, with the usual limits.
    pub fn start(&self) {
        self.start_within(CaptureLimits::default());
    }

    /// Begins to listen. A run that is under way goes on.
    pub fn start_within(&self, limits: CaptureLimits) {
        let mut state = lock(&self.state);
        if state.run.is_some() || state.closed {
            return;
        }
        let Some(normalization) = self.normalization.clone() else {
            state.status.message = Some(NO_MODEL.into());
            return;
        };
        state.threads.retain(|thread| !thread.is_finished());
        let run = Run::default();
        let (sender, receiver) = chunk_channel(Arc::clone(&self.may_wait));
        let thread = LearningThread {
            run: run.clone(),
            state: Arc::clone(&self.state),
            normalization,
            network: self.network.clone(),
            commands: self.commands.clone(),
            observer: Arc::clone(&self.observer),
        };
        match PatientThread::spawn("tributary-learning", move || thread.main(receiver, limits)) {
            Ok(thread) => {
                self.send(Command::Capture(sender));
                let LearningStatus { song, holds_statistics, .. } = std::mem::take(&mut state.status);
                state.status = LearningStatus {
                    phase: LearningPhase::Listening,
                    song,
                    holds_statistics,
                    ..LearningStatus::default()
                };
                state.run = Some(run);
                state.threads.push(thread);
            }
            Err(error) => state.status.message = Some(format!("Learning cannot be started: {error}.")),
        }
    }

    /// Stops listening and analyzes what was heard.
    pub fn finish(&self) {
        let state = lock(&self.state);
        if state.status.phase == LearningPhase::Listening {
            self.send(Command::EndCapture);
        }
    }

    /// Stops listening or analyzing; what was in force stays in force.
    pub fn cancel(&self) {
        self.cancel_locked(&mut lock(&self.state));
    }

    fn cancel_locked(&self, state: &mut State) {
        if let Some(run) = state.run.take() {
            run.cancel();
            self.send(Command::EndCapture);
            state.rest(None);
        }
    }

    /// Returns to running estimates, which listen for a while before they take over.
    pub fn forget(&self) {
        let mut state = lock(&self.state);
        self.cancel_locked(&mut state);
        if state.status.song.take().is_some() {
            self.glide(&CorrectionSource::Adaptive, None);
        }
        state.rest(None);
    }

    /// Puts a saved profile in force: at once when no frame of the stream has been heard yet, with a glide otherwise. Its
    /// statistics are held when they are this network's; otherwise the network's follow the song.
    ///
    /// # Errors
    /// A sentence when it was learned for another normalization or cannot be used. Running estimates are in force then.
    pub fn restore(&self, learned: LearnedSong) -> Result<(), String> {
        if let Err(message) = self.check(&learned) {
            self.forget();
            return Err(message);
        }
        let mut state = lock(&self.state);
        self.cancel_locked(&mut state);
        // Hosts load states often; what is in force need not be glided to.
        if state.status.song.as_deref() != Some(&learned) {
            let statistics = self.statistics_of(&learned);
            state.status.holds_statistics = statistics.is_some();
            self.glide(&CorrectionSource::Fixed(learned.profile.clone()), statistics);
            state.status.song = Some(Arc::new(learned));
        }
        state.rest(None);
        Ok(())
    }

    /// Puts in force what was kept of stems when they were locked, and keeps it: at once when no frame of the stream has been
    /// heard yet, with a glide otherwise. It need not have been found for the same targets; what it stands above – the learned
    /// profile, or running estimates – takes over once a stem is let go. What cannot be used is left out.
    pub(crate) fn lock_at(&self, kept: &SongProfile) {
        let Some(Normalization { recipe, targets, sample_rate_hz }) = self.normalization.as_deref() else {
            return;
        };
        let state = lock(&self.state);
        let source = match &state.status.song {
            Some(song) => CorrectionSource::Fixed(song.profile.clone()),
            None => CorrectionSource::Adaptive,
        };
        let rate_hz = f64::from(*sample_rate_hz);
        if let Ok(kept) = LockedCorrections::new(recipe, targets, &source, kept, rate_hz) {
            self.send(Command::Lock(kept));
        }
    }

    fn check(&self, learned: &LearnedSong) -> Result<(), String> {
        let Some(normalization) = &self.normalization else { return Err(NO_MODEL.into()) };
        if learned.normalization_sha256 != normalization.sha256() {
            return Err(FOREIGN.into());
        }
        learned.profile.validate().map_err(|error| format!("The learned profile cannot be used: {error}."))
    }

    /// A profile's statistics, when they are of this network.
    fn statistics_of(&self, learned: &LearnedSong) -> Option<Statistics> {
        let (network, learned) = (self.network.as_ref()?, learned.statistics.as_ref()?);
        let usable =
            learned.model_sha256 == network.bundle.sha256() && network.bundle.accepts(&learned.statistics);
        usable.then(|| learned.statistics.clone())
    }

    fn glide(&self, source: &CorrectionSource, statistics: Option<Statistics>) {
        let Some(Normalization { recipe, targets, sample_rate_hz }) = self.normalization.as_deref() else {
            return;
        };
        // The normalization built a normalizer before, and profiles are validated: this does not fail.
        if let Ok(corrections) = Corrections::new(recipe, targets, source, f64::from(*sample_rate_hz)) {
            self.send(Command::Glide(corrections, statistics));
        }
    }

    /// A worker that has ended takes no commands, and needs none.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Tells the thread to end. The engine calls it before it stops the worker.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.cancel_locked(&mut state);
    }

    /// Waits for the thread. The engine calls it after the worker, and with it its end of the channel, is gone.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut lock(&self.state).threads);
        threads.into_iter().for_each(PatientThread::join);
    }
}
