//! Learned profiles: the plug-in listens while the song plays once, measures the four stems as a whole file, runs the
//! network over them for what it averages, and keeps the result. [`Learning`] is the main thread's handle, to be shared
//! with an editor; the work is done on a thread of its own, which takes chunks from the worker's tap, writes them to a
//! temporary file, measures it, and hands the worker the finished corrections. Nothing here is known to the audio thread.
//!
//! ```text
//! Adaptive ──start──▶ Listening ──finish, or the limit──▶ Analyzing ──▶ Learned ──forget──▶ Adaptive
//!                         └── cancel, an error ──┴─▶ back to Adaptive, or to the profile learned before
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tributary_dsp::{Corrections, ProfileSource};

use crate::analysis::{LearnedNetwork, analyze};
use crate::capture::{Capture, CaptureError, CaptureLimits, Take};
use crate::learned::{LearnedProfile, LearningPhase, LearningStatus, Normalization};
use crate::protocol::Shared;
use crate::statistics::Statistics;
use crate::tap::{Captured, Tap, TapOutlet};

/// How often a thread that waits for frames looks whether it is still wanted.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Longest time dropping an engine waits for the thread, which looks for a cancellation at every chunk.
const JOIN_PATIENCE: Duration = Duration::from_secs(10);

const NO_MODEL: &str = "There is no model to learn for.";
const NOTHING_HEARD: &str = "There is nothing to learn from: no stem was louder than −50 dBFS. Play the song while Tributary listens.";
/// Share of the measuring in the whole analysis when a network is run over the song as well.
const MEASURING_SHARE: f32 = 0.15;

const INTERNAL: &str = "Learning stopped because of an internal error.";
const FOREIGN: &str = "This project's learned profile belongs to a model that normalizes otherwise, so Tributary adapts \
                       while playing. Learn again, or load the model it belongs to.";

/// What the worker is told.
pub(crate) enum Command {
    /// Copy what enters the normalizer.
    Capture(Tap),
    /// End the capture.
    EndCapture,
    /// Let these corrections take over, and hold these statistics of the network or let them run.
    Glide(Corrections, Option<Statistics>),
}

/// The state that the handle and the learning thread share. Neither audio thread nor worker ever locks it.
#[derive(Default)]
struct State {
    status: LearningStatus,
    /// The run whose thread may write; another one has been cancelled.
    run: Option<Run>,
    /// Threads that were cancelled, and the present one.
    threads: Vec<(JoinHandle<()>, Receiver<()>)>,
    closed: bool,
}

/// Called on the learning thread when it has ended without being cancelled; true when a profile is newly in force.
pub type LearningObserver = Box<dyn Fn(bool) + Send + Sync>;

/// One pass through listening and analyzing, shared with its thread.
#[derive(Clone)]
struct Run {
    cancelled: Arc<AtomicBool>,
}

/// The main thread's handle. All methods return at once and may be called from any thread but the audio thread.
pub struct Learning {
    normalization: Option<Arc<Normalization>>,
    /// The network to learn for; none when it averages nothing.
    network: Option<Arc<LearnedNetwork>>,
    shared: Arc<Shared>,
    commands: Mutex<Sender<Command>>,
    state: Arc<Mutex<State>>,
    observer: Arc<OnceLock<LearningObserver>>,
}

impl Learning {
    /// A handle, and the commands it gives. Without a normalization it refuses to learn.
    pub(crate) fn new(
        normalization: Option<Normalization>,
        network: Option<LearnedNetwork>,
        shared: Arc<Shared>,
    ) -> (Self, Receiver<Command>) {
        let (sender, receiver) = channel();
        let (normalization, network) = (normalization.map(Arc::new), network.map(Arc::new));
        let state = Arc::new(Mutex::new(State::default()));
        let commands = Mutex::new(sender);
        (Self { normalization, network, shared, commands, state, observer: Arc::default() }, receiver)
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
        state.threads.retain(|(thread, _)| !thread.is_finished());
        let run = Run { cancelled: Arc::new(AtomicBool::new(false)) };
        let (tap, outlet) = Tap::new(Arc::clone(&self.shared));
        let thread = LearningThread {
            run: run.clone(),
            state: Arc::clone(&self.state),
            normalization,
            network: self.network.clone(),
            commands: lock(&self.commands).clone(),
            observer: Arc::clone(&self.observer),
        };
        let (ended, has_ended) = channel();
        let spawned = std::thread::Builder::new().name("tributary-learning".into()).spawn(move || {
            thread.main(outlet, limits);
            let _ = ended.send(());
        });
        match spawned {
            Ok(thread) => {
                self.send(Command::Capture(tap));
                let LearningStatus { profile, holds_statistics, .. } = std::mem::take(&mut state.status);
                state.status = LearningStatus {
                    phase: LearningPhase::Listening,
                    profile,
                    holds_statistics,
                    ..LearningStatus::default()
                };
                state.run = Some(run);
                state.threads.push((thread, has_ended));
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
            run.cancelled.store(true, Relaxed);
            self.send(Command::EndCapture);
            rest(state, None);
        }
    }

    /// Returns to running estimates, which listen for a while before they take over.
    pub fn forget(&self) {
        let mut state = lock(&self.state);
        self.cancel_locked(&mut state);
        if state.status.profile.take().is_some() {
            self.glide(&ProfileSource::Adaptive, None);
        }
        rest(&mut state, None);
    }

    /// Puts a saved profile in force: at once when no frame of the stream has been heard yet, with a glide otherwise. Its
    /// statistics are held when they are this network's; otherwise the network's follow the song.
    ///
    /// # Errors
    /// A sentence when it was learned for another normalization or cannot be used. Running estimates are in force then.
    pub fn restore(&self, learned: LearnedProfile) -> Result<(), String> {
        if let Err(message) = self.check(&learned) {
            self.forget();
            return Err(message);
        }
        let mut state = lock(&self.state);
        self.cancel_locked(&mut state);
        // Hosts load states often; what is in force need not be glided to.
        if state.status.profile.as_deref() != Some(&learned) {
            let statistics = self.statistics_of(&learned);
            state.status.holds_statistics = statistics.is_some();
            self.glide(&ProfileSource::Fixed(learned.profile.clone()), statistics);
            state.status.profile = Some(Arc::new(learned));
        }
        rest(&mut state, None);
        Ok(())
    }

    fn check(&self, learned: &LearnedProfile) -> Result<(), String> {
        let Some(normalization) = &self.normalization else { return Err(NO_MODEL.into()) };
        if learned.normalization_sha256 != normalization.sha256() {
            return Err(FOREIGN.into());
        }
        learned.profile.validate().map_err(|error| format!("The learned profile cannot be used: {error}."))
    }

    /// A profile's statistics, when they are of this network.
    fn statistics_of(&self, learned: &LearnedProfile) -> Option<Statistics> {
        let (network, learned) = (self.network.as_ref()?, learned.statistics.as_ref()?);
        let usable =
            learned.model_sha256 == network.bundle.sha256() && network.bundle.accepts(&learned.statistics);
        usable.then(|| learned.statistics.clone())
    }

    fn glide(&self, source: &ProfileSource, statistics: Option<Statistics>) {
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
        let _ = lock(&self.commands).send(command);
    }

    /// Tells the thread to end. The engine calls it before it stops the worker.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.cancel_locked(&mut state);
    }

    /// Waits for the thread. The engine calls it after the worker, and with it the tap, is gone.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut lock(&self.state).threads);
        for (thread, has_ended) in threads {
            // As with the worker: one that hangs in a system call is left behind rather than the host.
            if has_ended.recv_timeout(JOIN_PATIENCE).is_ok() {
                let _ = thread.join();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Back to what is in force, with a message.
fn rest(state: &mut State, message: Option<String>) {
    let LearningStatus { profile, holds_statistics, .. } = std::mem::take(&mut state.status);
    let phase = if profile.is_some() { LearningPhase::Learned } else { LearningPhase::Adaptive };
    let holds_statistics = holds_statistics && profile.is_some();
    state.status = LearningStatus { phase, profile, holds_statistics, message, ..LearningStatus::default() };
}

/// What the learning thread owns.
struct LearningThread {
    run: Run,
    state: Arc<Mutex<State>>,
    normalization: Arc<Normalization>,
    network: Option<Arc<LearnedNetwork>>,
    commands: Sender<Command>,
    observer: Arc<OnceLock<LearningObserver>>,
}

impl LearningThread {
    fn main(self, outlet: TapOutlet, limits: CaptureLimits) {
        let rate_hz = f64::from(self.normalization.sample_rate_hz);
        let learned = catch_unwind(AssertUnwindSafe(|| {
            let capture = Capture::start(limits.clone(), rate_hz);
            let taken = capture.and_then(|capture| self.listen(outlet, capture));
            taken.map_err(|error| error.to_string()).and_then(|take| self.analyze(take, &limits))
        }))
        .unwrap_or_else(|_| Err(INTERNAL.into()));
        let is_learned = learned.is_ok();
        if let Err(message) = learned {
            self.update(|state| {
                // Whatever ended it, the worker need not go on copying. Under the lock, so that this cannot reach a
                // capture that begins after this one.
                let _ = self.commands.send(Command::EndCapture);
                state.run = None;
                rest(state, Some(message));
            });
        }
        if !self.is_cancelled()
            && let Some(observer) = self.observer.get()
        {
            observer(is_learned);
        }
    }

    /// Takes chunks until the capture ends; returns the longest stretch.
    fn listen(&self, outlet: TapOutlet, mut capture: Capture) -> Result<Take, CaptureError> {
        let rate_hz = f64::from(self.normalization.sample_rate_hz);
        loop {
            match outlet.chunks.recv_timeout(LOOK_INTERVAL) {
                Ok(Captured::Chunk { planes, frames }) => {
                    if !capture.append(&planes, frames)? {
                        break;
                    }
                    self.update(|State { status, .. }| {
                        status.captured_s = capture.current().frames() as f64 / rate_hz;
                        status.heard = capture.current().heard();
                    });
                }
                Ok(Captured::Restart) => {
                    capture.restart()?;
                    self.update(|State { status, .. }| {
                        status.captured_s = 0.0;
                        status.kept_s = capture.best_frames() as f64 / rate_hz;
                        status.heard = capture.current().heard();
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.is_cancelled() {
                return Err(CaptureError::Cancelled);
            }
        }
        if outlet.has_lost() {
            return Err(CaptureError::Slow);
        }
        self.update(|State { status, .. }| status.phase = LearningPhase::Analyzing);
        capture.finish()
    }

    /// Measures the stretch, averages over it, and puts the result in force.
    fn analyze(&self, mut take: Take, limits: &CaptureLimits) -> Result<(), String> {
        let Normalization { recipe, targets, sample_rate_hz } = &*self.normalization;
        let heard = take.heard();
        let watch = |share: f32| {
            self.update(|State { status, .. }| {
                status.progress = share;
                status.heard = heard;
            });
            if self.is_cancelled() {
                return Err(CaptureError::Cancelled.to_string());
            }
            // The files grow once more while they are measured: stretches of silence are written out.
            limits.check_space().map_err(|error| error.to_string())
        };
        let measuring = if self.network.is_some() { MEASURING_SHARE } else { 1.0 };
        let profile = analyze(&mut take, &self.normalization, &mut |share| watch(measuring * share))?;
        if profile.0.iter().all(Option::is_none) {
            return Err(NOTHING_HEARD.into());
        }
        let averaged = match &self.network {
            Some(network) => {
                network.average(&mut take, &mut |share| watch(measuring + (1.0 - measuring) * share))
            }
            None => Ok(None),
        };
        if self.is_cancelled() {
            return Err(CaptureError::Cancelled.to_string());
        }
        // The profile is good without them.
        let (statistics, message) = match averaged {
            Ok(statistics) => (statistics, None),
            Err(reason) => (None, Some(format!("Learned, but without the network's averages: {reason}"))),
        };
        let learned = LearnedProfile {
            normalization_sha256: self.normalization.sha256(),
            learned_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            length_s: take.frames() as f64 / f64::from(*sample_rate_hz),
            profile,
            statistics,
        };
        let source = ProfileSource::Fixed(learned.profile.clone());
        let corrections = Corrections::new(recipe, targets, &source, f64::from(*sample_rate_hz))
            .map_err(|error| format!("The song cannot be measured: {error}."))?;
        let statistics = learned.statistics.as_ref().map(|learned| learned.statistics.clone());
        self.update(|state| {
            state.status.holds_statistics = statistics.is_some();
            let _ = self.commands.send(Command::Glide(corrections, statistics));
            state.run = None;
            state.status.profile = Some(Arc::new(learned));
            rest(state, message);
        });
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.run.cancelled.load(Relaxed)
    }

    /// Changes the state unless the run was cancelled.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        if !self.is_cancelled() {
            change(&mut state);
        }
    }
}
