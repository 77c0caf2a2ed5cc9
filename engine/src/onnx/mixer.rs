//! The latent mixer of a network in four graphs: the temporal and the recurrent graph, one step at a time, with all that they
//! carry from step to step – the temporal net's past, the forward LSTMs' state, and what both average over a song.

use ort::session::{RunOptions, SessionInputValue};
use ort::value::DynValue;

use super::ends::{port, samples, view};
use super::{Graph, Port, run_error};
use crate::error::ModelError;
use crate::statistics::{Prior, RunningStatistics};

/// Sizes of one network, in latent frames and rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) filters: usize,
    /// Latent frames the temporal net runs behind its input.
    pub(super) delay: usize,
    pub(super) memory_rows: usize,
    pub(super) norms: usize,
    pub(super) lstm_rows: usize,
    pub(super) lstm_units: usize,
}

/// See the module documentation.
pub(super) struct Mixer {
    pub(super) sizes: Sizes,
    temporal: Graph,
    recurrent: Graph,
    pub(super) statistics: RunningStatistics,
    /// What the temporal net keeps, where ONNX Runtime put it: megabytes that nobody else reads. `None` before the first
    /// step.
    memory: Option<DynValue>,
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
        let (memory, columns): (SessionInputValue<'_>, usize) = match &self.memory {
            Some(memory) => (memory.into(), 2 * delay),
            None => (view([1, memory_rows, delay], &self.silent_memory)?.into(), delay),
        };
        let inputs = ort::inputs![
            "latent" => view([1, filters, frames], latent)?,
            "memory" => memory,
            "statistics" => view([1, norms, 2], &self.held)?,
            "rate" => view([1, 1, 1], &rate)?,
        ];
        let mut outputs = self.temporal.session().run_with_options(inputs, options).map_err(run_error)?;
        let made = frames + columns - 2 * delay;
        take(samples("mixed", &outputs["mixed"], [1, filters, made])?, made);
        self.statistics.hear_norms(samples("observed", &outputs["observed"], [1, norms, 2])?, frames);
        samples("next_memory", &outputs["next_memory"], [1, memory_rows, 2 * delay])?;
        self.memory = outputs.remove("next_memory");
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
        let inputs = ort::inputs![
            "now" => view([1, filters, frames], now)?,
            "ahead" => view([1, filters, more], ahead)?,
            "level" => view([1, filters, frames], level)?,
            "carried" => view([1, lstm_rows, lstm_units], &self.carried)?,
            "gate_level" => view([1, filters, 1], &self.held)?,
            "rate" => view([1, 1, 1], &rate)?,
        ];
        let outputs = self.recurrent.session().run_with_options(inputs, options).map_err(run_error)?;
        self.mask.clear();
        self.mask.extend_from_slice(samples("mask", &outputs["mask"], [1, filters, frames + more])?);
        let carried = samples("next_carried", &outputs["next_carried"], [1, lstm_rows, lstm_units])?;
        self.carried.copy_from_slice(carried);
        self.statistics.hear_gate(samples("observed", &outputs["observed"], [1, filters, 1])?, frames);
        Ok(())
    }
}

fn check(sizes: &Sizes, temporal: &Graph, recurrent: &Graph) -> Result<(), ModelError> {
    fn fixed(name: &str, rows: usize, columns: usize) -> Port<'_> {
        Port { name, shape: [Some(1), Some(rows), Some(columns)] }
    }
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
