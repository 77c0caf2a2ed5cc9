//! What the handle, its thread and the worker share while a song is learned: the state that an editor is shown, the run that
//! may still change it, and what the worker is told.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tributary_dsp::{Corrections, LockedCorrections};

use super::chunk_channel::ChunkSender;
use super::learned::{LearningPhase, LearningStatus};
use crate::bundle::statistics::Statistics;
use crate::patient_thread::PatientThread;

/// What the worker is told.
#[allow(clippy::large_enum_variant, reason = "a few in an engine's life")]
pub(crate) enum Command {
    /// Copy what enters the normalizer.
    Capture(ChunkSender),
    /// End the capture.
    EndCapture,
    /// Let these corrections take over, and hold these statistics of the network or let them run.
    Glide(Corrections, Option<Statistics>),
    /// Let these take over for their stems, and keep them.
    Lock(LockedCorrections),
}

/// The state that the handle and the learning thread share. Neither audio thread nor worker ever locks it.
#[derive(Default)]
pub(super) struct State {
    pub(super) status: LearningStatus,
    /// The run whose thread may write; another one has been cancelled.
    pub(super) run: Option<Run>,
    /// Threads that were cancelled, and the present one.
    pub(super) threads: Vec<PatientThread>,
    pub(super) closed: bool,
    /// Where the next analysis is to write the normalized stems.
    pub(super) export: Option<PathBuf>,
}

impl State {
    /// Back to what is in force, with a message.
    pub(super) fn rest(&mut self, message: Option<String>) {
        let LearningStatus { song, holds_statistics, .. } = std::mem::take(&mut self.status);
        let phase = if song.is_some() { LearningPhase::Learned } else { LearningPhase::Adaptive };
        let holds_statistics = holds_statistics && song.is_some();
        self.status = LearningStatus { phase, song, holds_statistics, message, ..LearningStatus::default() };
    }
}

/// Called on the learning thread when it has ended without being cancelled; true when a profile is newly in force.
pub type LearningObserver = Box<dyn Fn(bool) + Send + Sync>;

/// One pass through listening and analyzing, shared with its thread.
#[derive(Clone, Default)]
pub(super) struct Run {
    cancelled: Arc<AtomicBool>,
}

impl Run {
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }
}

pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
