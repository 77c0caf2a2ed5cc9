//! The engine that runs, or that ran last: its figures outlive it.

use crate::instance::ModelFacts;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tributary_dsp::SongProfile;
use tributary_engine::{
    EngineHandle, LatencyReport, Learning, LearningPhase, ModelName, RenderReport, Report, Telemetry,
};

/// See the module.
pub(crate) struct Run {
    /// The engine, as long as it runs.
    handle: Option<EngineHandle>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) learning: Arc<Learning>,
    pub(crate) latency: LatencyReport,
    pub(crate) model: ModelName,
    pub(crate) facts: ModelFacts,
    /// Underruns before the user last reset their count.
    forgiven_underruns: u64,
}

impl Run {
    /// A run; `has_ended` is called on the learning thread when it has nothing to do any more, with whether something was
    /// learned.
    pub(super) fn new(
        handle: EngineHandle,
        facts: ModelFacts,
        has_ended: impl Fn(bool) + Send + Sync + 'static,
    ) -> Self {
        handle.learning().observe(Box::new(has_ended));
        Self {
            telemetry: Arc::clone(handle.telemetry()),
            learning: Arc::clone(handle.learning()),
            latency: handle.latency().clone(),
            model: handle.model().clone(),
            facts,
            handle: Some(handle),
            forgiven_underruns: 0,
        }
    }

    /// The engine, to be ended by dropping it.
    pub(super) fn end(&mut self) -> Option<EngineHandle> {
        self.handle.take()
    }

    /// Puts in force what stems are locked at, if the engine runs; it is what a save writes in either case.
    pub(super) fn lock_at(&self, locked: SongProfile) {
        match &self.handle {
            Some(handle) => handle.lock_at(locked),
            None => self.telemetry.set_locked(locked),
        }
    }

    /// Whether the engine runs.
    pub(crate) fn is_running(&self) -> bool {
        self.handle.is_some()
    }

    /// Whether a song is listened to or analyzed.
    pub(super) fn is_learning(&self) -> bool {
        let phase = self.learning.status().phase;
        self.is_running() && matches!(phase, LearningPhase::Listening | LearningPhase::Analyzing)
    }

    /// How this run's last render went.
    pub(super) fn render(&self) -> Option<RenderReport> {
        self.telemetry.render(self.latency.rate_hz)
    }

    /// The run so far.
    pub(super) fn report(&self) -> Report {
        self.telemetry.report(self.model.clone(), &self.latency)
    }

    /// Underruns since the user last reset their count.
    pub(crate) fn underruns(&self) -> u64 {
        self.telemetry.underruns.load(Relaxed).saturating_sub(self.forgiven_underruns)
    }

    /// Counts underruns from now.
    pub(super) fn forgive_underruns(&mut self) {
        self.forgiven_underruns = self.telemetry.underruns.load(Relaxed);
    }
}
