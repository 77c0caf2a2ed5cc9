//! The thread that learns: takes chunks until the capture ends, measures the longest stretch, runs the network over it, and
//! puts the result in force. Every step looks whether it is still wanted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{RecvTimeoutError, Sender};
use tributary_dsp::{Cause, CorrectionSource, Corrections};

use super::analysis::{AnalysisError, LearnedNetwork, analyze};
use super::capture::{Capture, CaptureError, CaptureLimits, Take};
use super::chunk_channel::{Captured, ChunkReceiver};
use super::learned::{LearnedSong, LearningPhase, Normalization};
use super::state::{Command, LearningObserver, Run, State, lock};
use super::stem_export::write_stems;

/// How often a thread that waits for frames looks whether it is still wanted.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Share of the analysis when the normalized stems are written as well.
const ANALYSIS_SHARE: f32 = 0.9;
/// Share of the measuring in the whole analysis when a network is run over the song as well.
const MEASURING_SHARE: f32 = 0.15;

/// Why nothing was learned, as the editor says it.
#[derive(Debug, thiserror::Error)]
enum LearningError {
    #[error(
        "There is nothing to learn from: no stem was louder than −50 dBFS. Play the song while Tributary listens."
    )]
    NothingHeard,
    #[error("Learning stopped because of an internal error.")]
    Internal,
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

/// What the learning thread owns.
pub(super) struct LearningThread {
    pub(super) run: Run,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) normalization: Arc<Normalization>,
    pub(super) network: Option<Arc<LearnedNetwork>>,
    pub(super) commands: Sender<Command>,
    pub(super) observer: Arc<OnceLock<LearningObserver>>,
}

impl LearningThread {
    /// The thread's body.
    pub(super) fn main(self, chunks: ChunkReceiver, limits: CaptureLimits) {
        let rate_hz = f64::from(self.normalization.sample_rate_hz);
        let learned = catch_unwind(AssertUnwindSafe(|| {
            let capture = Capture::start(limits.clone(), rate_hz);
            let taken = capture.and_then(|capture| self.listen(chunks, capture));
            self.analyze(taken?, &limits)
        }))
        .unwrap_or(Err(LearningError::Internal));
        let is_learned = learned.is_ok();
        if let Err(error) = learned {
            self.update(|state| {
                // Whatever ended it, the worker need not go on copying. Under the lock, so that this cannot reach a
                // capture that begins after this one.
                let _ = self.commands.send(Command::EndCapture);
                state.run = None;
                state.rest(Some(error.to_string()));
            });
        }
        if !self.is_cancelled()
            && let Some(observer) = self.observer.get()
        {
            observer(is_learned);
        }
    }

    /// Takes chunks until the capture ends; returns the longest stretch.
    fn listen(&self, receiver: ChunkReceiver, mut capture: Capture) -> Result<Take, CaptureError> {
        let rate_hz = f64::from(self.normalization.sample_rate_hz);
        loop {
            match receiver.chunks.recv_timeout(LOOK_INTERVAL) {
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
        if receiver.has_lost() {
            return Err(CaptureError::Slow);
        }
        self.update(|State { status, .. }| status.phase = LearningPhase::Analyzing);
        capture.finish()
    }

    /// Measures the stretch, averages over it, and puts the result in force.
    fn analyze(&self, mut take: Take, limits: &CaptureLimits) -> Result<(), LearningError> {
        let sample_rate_hz = &self.normalization.sample_rate_hz;
        let heard = take.heard();
        let folder = lock(&self.state).export.clone();
        let analysis = if folder.is_some() { ANALYSIS_SHARE } else { 1.0 };
        let watch = |share: f32| {
            self.update(|State { status, .. }| {
                status.progress = share;
                status.heard = heard;
            });
            if self.is_cancelled() {
                return Err(Cause::new(CaptureError::Cancelled));
            }
            // The files grow once more while they are measured: stretches of silence are written out.
            limits.check_space().map_err(Cause::new)
        };
        let measuring = if self.network.is_some() { MEASURING_SHARE } else { 1.0 };
        let profile =
            analyze(&mut take, &self.normalization, &mut |share| watch(analysis * measuring * share))?;
        if profile.0.iter().all(Option::is_none) {
            return Err(LearningError::NothingHeard);
        }
        let averaged = match &self.network {
            Some(network) => {
                let share_of = |share| analysis * (measuring + (1.0 - measuring) * share);
                network.average(&mut take, &mut |share| watch(share_of(share)))
            }
            None => Ok(None),
        };
        if self.is_cancelled() {
            return Err(CaptureError::Cancelled.into());
        }
        let exported = folder.map(|folder| {
            let mut watch = |share| watch(ANALYSIS_SHARE + (1.0 - ANALYSIS_SHARE) * share);
            let written = write_stems(&mut take, *sample_rate_hz, &folder, &mut watch);
            written.map_or_else(
                |error| error.to_string(),
                |made| format!("The normalized stems are in {}.", made.display()),
            )
        });
        if self.is_cancelled() {
            return Err(CaptureError::Cancelled.into());
        }
        // The profile is good without them.
        let (statistics, message) = match averaged {
            Ok(statistics) => (statistics, None),
            Err(reason) => (None, Some(format!("Learned, but without the network's averages: {reason}"))),
        };
        let learned = LearnedSong {
            normalization_sha256: self.normalization.sha256(),
            learned_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            length_s: take.frames() as f64 / f64::from(*sample_rate_hz),
            profile,
            statistics,
        };
        self.put_in_force(learned, message, exported)
    }

    /// Lets the worker glide to what was learned, and shows it.
    fn put_in_force(
        &self,
        learned: LearnedSong,
        message: Option<String>,
        exported: Option<String>,
    ) -> Result<(), LearningError> {
        let Normalization { recipe, targets, sample_rate_hz } = &*self.normalization;
        let source = CorrectionSource::Fixed(learned.profile.clone());
        let corrections = Corrections::new(recipe, targets, &source, f64::from(*sample_rate_hz))
            .map_err(AnalysisError::from)?;
        let statistics = learned.statistics.as_ref().map(|learned| learned.statistics.clone());
        self.update(|state| {
            state.status.holds_statistics = statistics.is_some();
            let _ = self.commands.send(Command::Glide(corrections, statistics));
            state.run = None;
            state.status.song = Some(Arc::new(learned));
            state.rest(message);
            if exported.is_some() {
                state.export = None;
            }
            state.status.exported = exported;
        });
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.run.is_cancelled()
    }

    /// Changes the state unless the run was cancelled.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        if !self.is_cancelled() {
            change(&mut state);
        }
    }
}

#[cfg(test)]
#[path = "learning_thread_tests.rs"]
mod tests;
