//! Front and back end of CRAFx2, which every form of the network in parts shares: both are local in time, so they run on
//! new samples only and a [`History`] keeps what they made.

use ort::session::{RunOptions, Session};
use ort::value::TensorRef;
use tributary_dsp::CHANNELS;

use super::{Graph, Port, run_error};
use crate::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN};
use crate::error::ModelError;
use crate::window::StemWindow;

/// Longest stretch the front end handles in one run; bounds memory at the start of a stream and after skipped hops.
const FRONT_FRAMES: usize = 16_384;

/// A tensor (1, rows, any number of frames).
pub(super) fn port(name: &str, rows: usize) -> Port<'_> {
    Port { name, shape: [Some(1), Some(rows), None] }
}

/// Checks the shapes of both ends.
pub(super) fn check_ends(front: &Graph, back: &Graph, filters: usize) -> Result<(), ModelError> {
    front.check(
        &[port("stems", CHANNELS)],
        &[port("latent", filters), port("level", filters), port("bands", filters)],
    )?;
    back.check(&[port("bands", filters), port("mask", filters)], &[port("mix", 2)])
}

/// The newest frames of a number of rows, oldest first.
pub(super) struct History {
    /// Planar, rows of `frames`.
    pub(super) rows: Vec<f32>,
    pub(super) frames: usize,
}

impl History {
    pub(super) fn new(rows: usize, frames: usize) -> Self {
        Self { rows: vec![0.0; rows * frames], frames }
    }

    /// Appends `count` frames to every row and drops as many old ones. `new` is planar, rows of `count`.
    pub(super) fn push(&mut self, new: &[f32], count: usize) {
        let kept = self.frames.saturating_sub(count);
        let taken = self.frames - kept;
        for (row, new) in self.rows.chunks_exact_mut(self.frames).zip(new.chunks_exact(count)) {
            row.copy_within(self.frames - kept.., 0);
            row[kept..].copy_from_slice(&new[count - taken..]);
        }
    }

    /// Appends these frames of every row to `out`, planar.
    pub(super) fn copy(&self, frames: std::ops::Range<usize>, out: &mut Vec<f32>) {
        for row in self.rows.chunks_exact(self.frames) {
            out.extend_from_slice(&row[frames.clone()]);
        }
    }
}

/// The front end's graph with what every caller needs around it.
pub(super) struct FrontRun {
    graph: Graph,
    /// What the front end makes of silence, per filter: what lies before a stream.
    silent_latent: Vec<f32>,
    gathered: Vec<f32>,
}

impl FrontRun {
    pub(super) fn new(graph: Graph, filters: usize) -> Self {
        Self { graph, silent_latent: vec![0.0; filters], gathered: Vec::new() }
    }

    /// Finds out what silence looks like.
    pub(super) fn learn_silence(&mut self, options: &RunOptions) -> Result<(), ModelError> {
        self.gathered.clear();
        self.gathered.resize(CHANNELS * (FRAME_RATIO + 2 * MARGIN), 0.0);
        let silent = &mut self.silent_latent;
        run_front(&mut self.graph, options, &self.gathered, |latent, _, _| silent.copy_from_slice(latent))
    }

    /// Fills columns of `rows` (filters, `columns`) with the latents of silence.
    pub(super) fn place_silence(&self, rows: &mut [f32], columns: usize, range: std::ops::Range<usize>) {
        for (row, &silent) in rows.chunks_exact_mut(columns).zip(&self.silent_latent) {
            row[range.clone()].fill(silent);
        }
    }

    /// A whole signal between silences, one slice per channel, to latent, level and bands.
    pub(super) fn run<'a>(
        &mut self,
        options: &RunOptions,
        channels: impl Iterator<Item = &'a [f32]>,
        take: impl FnOnce(&[f32], &[f32], &[f32]),
    ) -> Result<(), ModelError> {
        self.gathered.clear();
        for channel in channels {
            self.gathered.extend([0.0; MARGIN]);
            self.gathered.extend_from_slice(channel);
            self.gathered.extend([0.0; MARGIN]);
        }
        run_front(&mut self.graph, options, &self.gathered, take)
    }

    /// The newest `behind` frames before the window's edge to latent, level, bands and their number, in pieces.
    pub(super) fn follow(
        &mut self,
        options: &RunOptions,
        window: &StemWindow,
        mut behind: usize,
        mut take: impl FnMut(&[f32], &[f32], &[f32], usize),
    ) -> Result<(), ModelError> {
        let length = window.channel(0).len();
        while behind > 0 {
            let count = behind.min(FRONT_FRAMES);
            let from = length - behind - 2 * MARGIN;
            self.gathered.clear();
            for channel in 0..CHANNELS {
                let samples = &window.channel(channel)[from..from + count + 2 * MARGIN];
                self.gathered.extend_from_slice(samples);
            }
            run_front(&mut self.graph, options, &self.gathered, |latent, level, band| {
                take(latent, level, band, count);
            })?;
            behind -= count;
        }
        Ok(())
    }
}

/// `stems` (8, frames + 2 · margin) to latent, level (filters, frames / 64) and bands (filters, frames).
fn run_front(
    graph: &mut Graph,
    options: &RunOptions,
    stems: &[f32],
    take: impl FnOnce(&[f32], &[f32], &[f32]),
) -> Result<(), ModelError> {
    let frames = stems.len() / CHANNELS;
    let input = TensorRef::from_array_view(([1, CHANNELS, frames], stems)).map_err(run_error)?;
    let session: &mut Session = graph.session();
    let outputs = session.run_with_options(ort::inputs!["stems" => input], options).map_err(run_error)?;
    let tensor = |name: &str, frames: usize| -> Result<&[f32], ModelError> {
        let (shape, samples) = outputs[name].try_extract_tensor::<f32>().map_err(run_error)?;
        expect_frames(name, shape, frames)?;
        Ok(samples)
    };
    let made = frames - 2 * MARGIN;
    let latent_frames = made / FRAME_RATIO;
    take(tensor("latent", latent_frames)?, tensor("level", latent_frames)?, tensor("bands", made)?);
    Ok(())
}

/// bands (filters, frames + 128) and mask (filters, frames / 64 + 2) to mix (2, frames).
pub(super) fn run_back(
    graph: &mut Graph,
    options: &RunOptions,
    filters: usize,
    bands: &[f32],
    mask: &[f32],
    take: impl FnOnce(&[f32]),
) -> Result<(), ModelError> {
    let band_frames = bands.len() / filters;
    let bands = TensorRef::from_array_view(([1, filters, band_frames], bands)).map_err(run_error)?;
    let mask = TensorRef::from_array_view(([1, filters, mask.len() / filters], mask)).map_err(run_error)?;
    let inputs = ort::inputs!["bands" => bands, "mask" => mask];
    let outputs = graph.session().run_with_options(inputs, options).map_err(run_error)?;
    let (shape, mix) = outputs["mix"].try_extract_tensor::<f32>().map_err(run_error)?;
    expect_frames("mix", shape, band_frames - 2 * FRAME_RATIO)?;
    take(mix);
    Ok(())
}

pub(super) fn expect_frames(name: &str, shape: &[i64], frames: usize) -> Result<(), ModelError> {
    if shape.len() == 3 && shape[2] == frames as i64 {
        return Ok(());
    }
    Err(ModelError::Run { reason: format!("{name} has shape {shape:?} where {frames} frames are expected") })
}
