//! The latent mixer of a network in four graphs: the temporal and the recurrent graph, one step at a time, with all that they
//! carry from step to step – the temporal net's past, the forward LSTMs' state, and what both average over a song.

use super::averages::RunningStatistics;
use crate::bundle::statistics::Prior;
use crate::error::ModelError;
use crate::onnx::graph::{Graph, Input, Port, RunOptions, Tensor};

/// Sizes of one network, in latent frames and rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) filters: usize,
    /// Latent frames the temporal net runs behind its input.
    pub(crate) delay: usize,
    pub(crate) memory_rows: usize,
    pub(crate) norms: usize,
    pub(crate) lstm_rows: usize,
    pub(crate) lstm_units: usize,
}

/// See the module documentation.
pub(super) struct Mixer {
    pub(super) sizes: Sizes,
    temporal: Graph,
    recurrent: Graph,
    pub(super) statistics: RunningStatistics,
    /// What the temporal net keeps, where ONNX Runtime put it: megabytes that nobody else reads. `None` before the first
    /// step.
    memory: Option<Tensor>,
    /// What it keeps before the first step.
    silent_memory: Vec<f32>,
    carried: Vec<f32>,
    held: Vec<f32>,
    /// What the last recurrent step made, (filters, now + ahead).
    pub(super) mask: Vec<f32>,
}

impl Mixer {
    /// Checks the graphs' shapes. `frames_per_s`: latent frames a second.
    pub(super) fn new(
        sizes: Sizes,
        temporal: Graph,
        recurrent: Graph,
        prior: Prior,
        frames_per_s: f64,
    ) -> Result<Self, ModelError> {
        check(&sizes, &temporal, &recurrent)?;
        Ok(Self {
            sizes,
            temporal,
            recurrent,
            statistics: RunningStatistics::new(prior, frames_per_s),
            memory: None,
            silent_memory: vec![0.0; sizes.memory_rows * sizes.delay],
            carried: Vec::new(),
            held: Vec::new(),
            mask: Vec::new(),
        })
    }

    /// Forgets the stream but not what it averaged.
    pub(super) fn restart(&mut self) {
        self.memory = None;
        self.carried.clear();
        self.carried.resize(self.sizes.lstm_rows * self.sizes.lstm_units, 0.0);
    }

    /// `latent` (filters, frames) through the temporal net; `take` receives what comes out, as long or – first after a
    /// restart – shorter by the delay.
    pub(super) fn step_temporal(
        &mut self,
        options: &RunOptions,
        latent: &[f32],
        take: impl FnOnce(&[f32], usize),
    ) -> Result<(), ModelError> {
        let Sizes { filters, memory_rows, norms, delay, .. } = self.sizes;
        let frames = latent.len() / filters;
        self.held.clear();
        self.held.extend(self.statistics.norms());
        let rate = [self.statistics.rates(frames, frames).0];
        let (memory, columns) = match &self.memory {
            Some(memory) => (Input::Made(memory), 2 * delay),
            None => (Input::Samples([1, memory_rows, delay], &self.silent_memory), delay),
        };
        let inputs = [
            ("latent", Input::Samples([1, filters, frames], latent)),
            ("memory", memory),
            ("statistics", Input::Samples([1, norms, 2], &self.held)),
            ("rate", Input::Samples([1, 1, 1], &rate)),
        ];
        let mut outputs = self.temporal.run(options, &inputs)?;
        let made = frames + columns - 2 * delay;
        take(outputs.samples("mixed", [1, filters, made])?, made);
        self.statistics.hear_norms(outputs.samples("observed", [1, norms, 2])?, frames);
        outputs.samples("next_memory", [1, memory_rows, 2 * delay])?;
        self.memory = Some(outputs.take("next_memory")?);
        Ok(())
    }

    /// `now` and `ahead` (filters, any) with the levels of `now` to `self.mask` (filters, now + ahead).
    pub(super) fn step_recurrent(
        &mut self,
        options: &RunOptions,
        now: &[f32],
        ahead: &[f32],
        level: &[f32],
    ) -> Result<(), ModelError> {
        let Sizes { filters, lstm_rows, lstm_units, .. } = self.sizes;
        let (frames, more) = (now.len() / filters, ahead.len() / filters);
        self.held.clear();
        self.held.extend(self.statistics.gate());
        let rate = [self.statistics.rates(frames, frames).1];
        let inputs = [
            ("now", Input::Samples([1, filters, frames], now)),
            ("ahead", Input::Samples([1, filters, more], ahead)),
            ("level", Input::Samples([1, filters, frames], level)),
            ("carried", Input::Samples([1, lstm_rows, lstm_units], &self.carried)),
            ("gate_level", Input::Samples([1, filters, 1], &self.held)),
            ("rate", Input::Samples([1, 1, 1], &rate)),
        ];
        let outputs = self.recurrent.run(options, &inputs)?;
        self.mask.clear();
        self.mask.extend_from_slice(outputs.samples("mask", [1, filters, frames + more])?);
        let carried = outputs.samples("next_carried", [1, lstm_rows, lstm_units])?;
        self.carried.copy_from_slice(carried);
        self.statistics.hear_gate(outputs.samples("observed", [1, filters, 1])?, frames);
        Ok(())
    }
}

fn check(sizes: &Sizes, temporal: &Graph, recurrent: &Graph) -> Result<(), ModelError> {
    let (port, fixed) = (Port::any_length, Port::fixed);
    temporal.check(
        &[
            port("latent", sizes.filters),
            port("memory", sizes.memory_rows),
            fixed("statistics", sizes.norms, 2),
            fixed("rate", 1, 1),
        ],
        &[
            port("mixed", sizes.filters),
            fixed("next_memory", sizes.memory_rows, 2 * sizes.delay),
            fixed("observed", sizes.norms, 2),
        ],
    )?;
    recurrent.check(
        &[
            port("now", sizes.filters),
            port("ahead", sizes.filters),
            port("level", sizes.filters),
            fixed("carried", sizes.lstm_rows, sizes.lstm_units),
            fixed("gate_level", sizes.filters, 1),
            fixed("rate", 1, 1),
        ],
        &[
            port("mask", sizes.filters),
            fixed("next_carried", sizes.lstm_rows, sizes.lstm_units),
            fixed("observed", sizes.filters, 1),
        ],
    )
}
