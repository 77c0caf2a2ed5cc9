//! The two ends of a network, either as the graphs of its bundle or as the filter bank that those compute (`bank.rs`). What
//! stands here is all that differs between them; who runs them, on which stretches and in which thread, is the same
//! (`front_end.rs`, `back_end.rs`).

use std::ops::Range;
use std::sync::Arc;

use tributary_dsp::CHANNELS;

use super::bands::{Bands, Made, Rows};
use super::bank::{Bank, BankBack, BankFront, EndWeights};
use crate::bundle::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN};
use crate::error::ModelError;
use crate::onnx::graph::{Graph, Input, Port, RunOptions};
use crate::test_support::Noise;

/// Frames of noise on which a bank is compared with the graphs: several of its blocks, and no whole number of them.
const PROVED_FRAMES: usize = 1_984;
/// Largest difference between bank and graphs, of bands and mix beside the largest of them, of latent frames and levels
/// beside 1. Both round at 32 bits; a filter that is another one differs by more than a thousand times as much.
const LARGEST_DIFFERENCE: f32 = 2e-5;

/// Stems to bands and latent frames.
pub(crate) enum FrontEnd {
    Graph(Graph),
    Bank(Box<BankFront>),
}

/// Bands and mask to the mix.
pub(crate) enum BackEnd {
    /// With room for what it takes.
    Graph(Graph, Vec<f32>),
    Bank(Box<BankBack>),
}

/// Both.
pub(crate) struct Ends {
    pub(crate) front: FrontEnd,
    pub(crate) back: BackEnd,
}

impl Ends {
    /// Checks the graphs' shapes.
    pub(crate) fn of_graphs(front: Graph, back: Graph, filters: usize) -> Result<Self, ModelError> {
        let made = ["latent", "level", "bands"].map(|name| Port::any_length(name, filters));
        front.check(&[Port::any_length("stems", CHANNELS)], &made)?;
        let takes = ["bands", "mask"].map(|name| Port::any_length(name, filters));
        back.check(&takes, &[Port::any_length("mix", 2)])?;
        Ok(Self { front: FrontEnd::Graph(front), back: BackEnd::Graph(back, Vec::new()) })
    }

    /// Those of a bank.
    pub(crate) fn of_bank(bank: &Arc<Bank>) -> Self {
        Self {
            front: FrontEnd::Bank(Box::new(BankFront::new(Arc::clone(bank)))),
            back: BackEnd::Bank(Box::new(BankBack::new(Arc::clone(bank)))),
        }
    }

    /// The bank of these filters, if it makes of noise what these ends make of it.
    pub(crate) fn as_bank(
        &mut self,
        weights: &EndWeights,
        filters: usize,
        options: &RunOptions,
    ) -> Result<Option<Arc<Bank>>, ModelError> {
        let Some(bank) = Bank::new(weights).map(Arc::new) else { return Ok(None) };
        let (wanted, made) =
            (self.try_out(filters, options)?, Self::of_bank(&bank).try_out(filters, options)?);
        let equal = wanted.iter().zip(&made).all(|((wanted, least), (made, _))| {
            let largest = wanted.iter().fold(*least, |largest, sample| largest.max(sample.abs()));
            // What is not a number is not near anything.
            wanted
                .iter()
                .zip(made)
                .all(|(wanted, made)| (wanted - made).abs() <= LARGEST_DIFFERENCE * largest)
        });
        Ok(equal.then_some(bank))
    }

    /// What the ends make of noise: latent frames, levels, bands, mix, each with what its differences are measured beside at
    /// least.
    fn try_out(&mut self, filters: usize, options: &RunOptions) -> Result<[(Vec<f32>, f32); 4], ModelError> {
        let mut noise = Noise(5);
        let mut noise = |count: usize| -> Vec<f32> { (0..count).map(|_| 0.1 * noise.sample()).collect() };
        let made = self.front.run(options, filters, &noise(CHANNELS * (PROVED_FRAMES + 2 * MARGIN)))?;
        let latent = (made.latent()?.to_vec(), 1.0);
        let level = (made.level()?.to_vec(), 1.0);
        let planar = (made.planar()?.into_owned(), f32::MIN_POSITIVE);
        let mut bands = Bands::new(PROVED_FRAMES);
        bands.push(made);
        let frames = PROVED_FRAMES - 2 * FRAME_RATIO;
        let mask: Vec<f32> =
            noise(filters * PROVED_FRAMES / FRAME_RATIO).iter().map(|mask| mask + 0.2).collect();
        let mut mix = vec![0.0; 2 * frames];
        let (left, right) = mix.split_at_mut(frames);
        self.back.run(options, filters, &bands.rows()?, 0..PROVED_FRAMES, &mask, [left, right])?;
        Ok([latent, level, planar, (mix, f32::MIN_POSITIVE)])
    }
}

impl FrontEnd {
    /// `stems` (8, frames + 2 · margin) to latent, level (filters, frames / 64) and bands (filters, frames).
    pub(super) fn run(
        &mut self,
        options: &RunOptions,
        filters: usize,
        stems: &[f32],
    ) -> Result<Made, ModelError> {
        let frames = stems.len() / CHANNELS;
        match self {
            Self::Graph(graph) => {
                let mut made =
                    graph.run(options, &[("stems", Input::Samples([1, CHANNELS, frames], stems))])?;
                let [latent, level, bands] = ["latent", "level", "bands"].map(|name| made.take(name));
                Ok(Made::by_graph([latent?, level?, bands?], filters, frames - 2 * MARGIN))
            }
            Self::Bank(bank) => Ok(Made::by_bank(bank.run(stems), filters, frames - 2 * MARGIN)),
        }
    }
}

impl BackEnd {
    /// These frames of bands and their mask (filters, frames / 64) to the mix, a latent frame shorter at either end.
    pub(super) fn run(
        &mut self,
        options: &RunOptions,
        filters: usize,
        rows: &Rows<'_>,
        frames: Range<usize>,
        mask: &[f32],
        [left, right]: [&mut [f32]; 2],
    ) -> Result<(), ModelError> {
        match self {
            Self::Graph(graph, bands) => {
                bands.clear();
                rows.copy(frames.clone(), filters, bands);
                let inputs = [
                    ("bands", Input::Samples([1, filters, frames.len()], bands)),
                    ("mask", Input::Samples([1, filters, mask.len() / filters], mask)),
                ];
                let made = graph.run(options, &inputs)?;
                let made = made.samples("mix", [1, 2, left.len()])?;
                left.copy_from_slice(&made[..left.len()]);
                right.copy_from_slice(&made[left.len()..]);
                Ok(())
            }
            Self::Bank(bank) => {
                bank.run(&rows.stretch(frames), mask, [left, right]);
                Ok(())
            }
        }
    }
}
