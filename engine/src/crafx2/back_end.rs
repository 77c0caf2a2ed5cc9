//! The back end of CRAFx2: bands and mask to the mix. It is local in time, so a hop is made in pieces that stay in the
//! cache, and offline two threads share the pieces: the same runs on the same samples, hence the same bits.
//!
//! The graph ends in the network's tanh, before which everything is linear in the mask. So a contract that drives the tanh
//! lower has its masks turned down here and the mix turned up again, whatever the graph.

use std::ops::Range;

use crossbeam_queue::ArrayQueue;

use super::bands::{Bands, Rows};
use super::ends::BackEnd;
use super::front_end::PIECE_FRAMES;
use crate::bundle::contract::FRAME_RATIO;
use crate::error::ModelError;
use crate::model::MixHop;
use crate::onnx::graph::{RunOptions, unlimited};

/// Gains before and behind the final tanh, inverse to each other; 1, which changes no bit, unless the contract says so.
#[derive(Clone, Copy)]
struct Drive {
    mask: f32,
    mix: f32,
}

impl Drive {
    fn new(output_drive_db: Option<f64>) -> Self {
        let gain = output_drive_db.map_or(1.0, |db| 10_f64.powf(db / 20.0));
        Self { mask: gain as f32, mix: (1.0 / gain) as f32 }
    }
}

/// The back end with what every caller needs around it.
pub(super) struct BackRun {
    lane: Lane,
    /// The same for another thread, once that is wanted.
    second: Option<Lane>,
    filters: usize,
    drive: Drive,
}

/// One thread's end and its input.
struct Lane {
    end: BackEnd,
    drive: Drive,
    mask: Vec<f32>,
}

/// A piece of the hop: its frames, and where its two sides go.
type Piece<'a> = (Range<usize>, [&'a mut [f32]; 2]);

impl BackRun {
    /// `output_drive_db` is the contract's.
    pub(super) fn new(end: BackEnd, filters: usize, output_drive_db: Option<f64>) -> Self {
        let drive = Drive::new(output_drive_db);
        Self { lane: Lane::new(end, drive), second: None, filters, drive }
    }

    /// From now on shares every hop with a second thread, which has an end like this one.
    pub(super) fn share(&mut self, second: BackEnd) {
        self.second = Some(Lane::new(second, self.drive));
    }

    /// The oldest of `bands` and `mask` (filters, frames / 64 + 2) – one column on either side – to a hop of `mix`.
    pub(super) fn run(
        &mut self,
        options: &RunOptions,
        bands: &Bands,
        mask: &[f32],
        mix: &mut MixHop<'_>,
    ) -> Result<(), ModelError> {
        let rows = bands.rows()?;
        let filters = self.filters;
        let sides = mix.left.chunks_mut(PIECE_FRAMES).zip(mix.right.chunks_mut(PIECE_FRAMES));
        let mut pieces = sides.enumerate().map(|(piece, (left, right))| {
            let from = piece * PIECE_FRAMES;
            (from..from + left.len(), [left, right])
        });
        let Some(second) = &mut self.second else {
            return pieces.try_for_each(|piece| self.lane.run(options, filters, &rows, mask, piece));
        };
        let waiting = ArrayQueue::new(pieces.len().max(1));
        // There is room for all of them.
        pieces.for_each(|piece: Piece<'_>| drop(waiting.push(piece)));
        let work = |lane: &mut Lane, options: &RunOptions| {
            while let Some(piece) = waiting.pop() {
                lane.run(options, filters, &rows, mask, piece)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let helper = scope.spawn(|| work(second, &unlimited()?));
            let own = work(&mut self.lane, options);
            let panicked = |_| Err(ModelError::Run { reason: "a thread of the back end panicked".into() });
            helper.join().unwrap_or_else(panicked).and(own)
        })
    }

    /// A whole signal between silences: bands and mask (filters, frames / 64 + 2) – one column on either side – to
    /// (2, frames).
    pub(super) fn run_whole(
        &mut self,
        options: &RunOptions,
        bands: &Bands,
        mask: &[f32],
    ) -> Result<Vec<f32>, ModelError> {
        let frames = mask.len() / self.filters * FRAME_RATIO - 2 * FRAME_RATIO;
        let mut mix = vec![0.0; 2 * frames];
        let (left, right) = mix.split_at_mut(frames);
        self.lane.run(options, self.filters, &bands.rows()?, mask, (0..frames, [left, right]))?;
        Ok(mix)
    }
}

impl Lane {
    fn new(end: BackEnd, drive: Drive) -> Self {
        Self { end, drive, mask: Vec::new() }
    }

    fn run(
        &mut self,
        options: &RunOptions,
        filters: usize,
        rows: &Rows<'_>,
        mask: &[f32],
        (frames, [left, right]): Piece<'_>,
    ) -> Result<(), ModelError> {
        self.mask.clear();
        let columns = frames.start / FRAME_RATIO..frames.end / FRAME_RATIO + 2;
        let Drive { mask: down, mix: up } = self.drive;
        for row in mask.chunks_exact(mask.len() / filters) {
            self.mask.extend(row[columns.clone()].iter().map(|mask| mask * down));
        }
        let taken = frames.start..frames.end + 2 * FRAME_RATIO;
        self.end.run(options, filters, rows, taken, &self.mask, [&mut *left, &mut *right])?;
        left.iter_mut().chain(right).for_each(|sample| *sample *= up);
        Ok(())
    }
}
