//! CRAFx2 in three graphs, an exact rewrite that lets the expensive front end run on new samples only. The model keeps
//! what earlier hops computed: the front end's bands over hop and lookahead, and its latent frames (with their levels)
//! over the whole window. Per hop it runs the front end on the samples that are new, the latent mixer on all latent
//! frames of the window, and the back end on the frames of the hop and its crossfade.
//!
//! A latent frame needs samples up to 96 after it, so the front end stays `margin` = 128 frames behind the newest sample:
//! all caches end at that point, called the *edge*.

use ort::session::{RunOptions, Session};
use ort::value::TensorRef;
use tributary_dsp::CHANNELS;

use super::{Graph, Port, run_error};
use crate::bundle::ParityVectors;
use crate::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN, WindowGeometry};
use crate::error::ModelError;
use crate::model::{MixHop, MixModel};
use crate::window::StemWindow;

/// Longest stretch the front end handles in one run; bounds memory at the start of a stream and after skipped hops.
const FRONT_FRAMES: usize = 16_384;

/// See the module documentation.
pub(super) struct SplitModel {
    geometry: WindowGeometry,
    front: Graph,
    latent: Graph,
    back: Graph,
    /// conv_1's output up to the edge, one row per filter.
    bands: History,
    /// Latent frames up to the edge.
    latents: History,
    /// Mean level of the bands per latent frame up to the edge.
    levels: History,
    /// What the front end makes of silence, per filter: what lies before a stream.
    silent_latent: Vec<f32>,
    options: RunOptions,
    gathered: Vec<f32>,
}

impl SplitModel {
    pub(super) fn new(
        geometry: WindowGeometry,
        filters: usize,
        front: Graph,
        latent: Graph,
        back: Graph,
    ) -> Result<Self, ModelError> {
        fn port(name: &str, channels: usize) -> Port<'_> {
            Port { name, shape: [Some(1), Some(channels), None] }
        }
        front.check(
            &[port("stems", CHANNELS)],
            &[port("latent", filters), port("level", filters), port("bands", filters)],
        )?;
        latent.check(&[port("latent", filters), port("level", filters)], &[port("mask", filters)])?;
        back.check(&[port("bands", filters), port("mask", filters)], &[port("mix", 2)])?;
        let frames = geometry.window_frames() / FRAME_RATIO;
        let band_frames = geometry.hop_frames + geometry.lookahead_frames - MARGIN + FRAME_RATIO;
        Ok(Self {
            geometry,
            front,
            latent,
            back,
            bands: History::new(filters, band_frames),
            latents: History::new(filters, frames),
            levels: History::new(filters, frames),
            silent_latent: vec![0.0; filters],
            options: RunOptions::new().map_err(run_error)?,
            gathered: Vec::new(),
        })
    }

    /// The first run: learns what silence looks like, then proves the three graphs on the parity vectors.
    pub(super) fn warm_up(
        &mut self,
        options: &RunOptions,
        parity: Option<&ParityVectors>,
    ) -> Result<(), ModelError> {
        self.gathered.clear();
        self.gathered.resize(CHANNELS * (FRAME_RATIO + 2 * MARGIN), 0.0);
        let silent = &mut self.silent_latent;
        run_front(&mut self.front, options, &self.gathered, |latent, _, _| silent.copy_from_slice(latent))?;
        self.reset();
        if let Some(parity) = parity {
            let mix = self.whole_signal(options, parity)?;
            parity.compare(&mix)?;
        }
        Ok(())
    }

    /// The three graphs on a whole signal between silences, (8, frames) to (2, frames).
    fn whole_signal(&mut self, options: &RunOptions, parity: &ParityVectors) -> Result<Vec<f32>, ModelError> {
        let frames = parity.frames;
        if !frames.is_multiple_of(FRAME_RATIO) {
            return Err(ModelError::Run { reason: format!("{frames} parity frames are no multiple of 64") });
        }
        self.gathered.clear();
        for channel in parity.input.chunks_exact(frames) {
            self.gathered.extend([0.0; MARGIN]);
            self.gathered.extend_from_slice(channel);
            self.gathered.extend([0.0; MARGIN]);
        }
        let filters = self.silent_latent.len();
        let (mut latents, mut levels) = (Vec::new(), Vec::new());
        let mut bands = History::new(filters, frames + 2 * FRAME_RATIO);
        run_front(&mut self.front, options, &self.gathered, |latent, level, band| {
            latents.extend_from_slice(latent);
            levels.extend_from_slice(level);
            bands.push(band, frames);
            bands.push(&vec![0.0; filters * FRAME_RATIO], FRAME_RATIO);
        })?;
        let mut mask = History::new(filters, frames / FRAME_RATIO + 2);
        run_latent(&mut self.latent, options, filters, &latents, &levels, |made| {
            mask.push(made, frames / FRAME_RATIO);
            mask.push(&vec![0.0; filters], 1);
        })?;
        let mut mix = Vec::new();
        run_back(&mut self.back, options, filters, &bands.rows, &mask.rows, |made| {
            mix.extend_from_slice(made);
        })?;
        Ok(mix)
    }

    /// Brings the caches up to the window's edge.
    fn advance(&mut self, window: &StemWindow) -> Result<(), ModelError> {
        let length = self.geometry.window_frames();
        // What is older than the window minus the front end's own context cannot be computed, nor is it needed.
        let mut behind = window.advanced_frames().min(length - 2 * MARGIN);
        while behind > 0 {
            let count = behind.min(FRONT_FRAMES);
            let from = length - behind - 2 * MARGIN;
            self.gathered.clear();
            for channel in 0..CHANNELS {
                let samples = &window.channel(channel)[from..from + count + 2 * MARGIN];
                self.gathered.extend_from_slice(samples);
            }
            let Self { front, options, gathered, latents, levels, bands, .. } = self;
            run_front(front, options, gathered, |latent, level, band| {
                latents.push(latent, count / FRAME_RATIO);
                levels.push(level, count / FRAME_RATIO);
                bands.push(band, count);
            })?;
            behind -= count;
        }
        Ok(())
    }
}

impl MixModel for SplitModel {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    fn reset(&mut self) {
        self.bands.rows.fill(0.0);
        self.levels.rows.fill(0.0);
        let frames = self.latents.frames;
        for (row, &silent) in self.latents.rows.chunks_exact_mut(frames).zip(&self.silent_latent) {
            row.fill(silent);
        }
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.advance(window)?;
        let filters = self.silent_latent.len();
        let made = self.geometry.mix_frames();
        let Self { geometry, latent, back, options, bands, latents, levels, gathered, .. } = self;
        // One latent frame either side of what is made. The caches end at the edge, MARGIN before the window's end.
        let mask_frames = made / FRAME_RATIO + 2;
        let first = (geometry.context_frames + MARGIN - FRAME_RATIO) / FRAME_RATIO;
        gathered.clear();
        run_latent(latent, options, filters, &latents.rows, &levels.rows, |mask| {
            for row in mask.chunks_exact(latents.frames) {
                gathered.extend_from_slice(&row[first..first + mask_frames]);
            }
        })?;
        let mask_samples = gathered.len();
        let band_frames = made + 2 * FRAME_RATIO;
        for row in bands.rows.chunks_exact(bands.frames) {
            gathered.extend_from_slice(&row[..band_frames]);
        }
        let (mask, bands) = gathered.split_at(mask_samples);
        run_back(back, options, filters, bands, mask, |samples| {
            let (left, right) = samples.split_at(made);
            mix.left.copy_from_slice(left);
            mix.right.copy_from_slice(right);
        })
    }
}

/// The newest frames of a number of rows, oldest first.
struct History {
    rows: Vec<f32>,
    frames: usize,
}

impl History {
    fn new(rows: usize, frames: usize) -> Self {
        Self { rows: vec![0.0; rows * frames], frames }
    }

    /// Appends `count` frames to every row and drops as many old ones. `new` is planar, rows of `count`.
    fn push(&mut self, new: &[f32], count: usize) {
        let kept = self.frames.saturating_sub(count);
        let taken = self.frames - kept;
        for (row, new) in self.rows.chunks_exact_mut(self.frames).zip(new.chunks_exact(count)) {
            row.copy_within(self.frames - kept.., 0);
            row[kept..].copy_from_slice(&new[count - taken..]);
        }
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

/// latent, level (filters, frames) to mask (filters, frames).
fn run_latent(
    graph: &mut Graph,
    options: &RunOptions,
    filters: usize,
    latent: &[f32],
    level: &[f32],
    take: impl FnOnce(&[f32]),
) -> Result<(), ModelError> {
    let frames = latent.len() / filters;
    let input = |rows| TensorRef::from_array_view(([1, filters, frames], rows)).map_err(run_error);
    let inputs = ort::inputs!["latent" => input(latent)?, "level" => input(level)?];
    let outputs = graph.session().run_with_options(inputs, options).map_err(run_error)?;
    let (shape, mask) = outputs["mask"].try_extract_tensor::<f32>().map_err(run_error)?;
    expect_frames("mask", shape, frames)?;
    take(mask);
    Ok(())
}

/// bands (filters, frames + 128) and mask (filters, frames / 64 + 2) to mix (2, frames).
fn run_back(
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

fn expect_frames(name: &str, shape: &[i64], frames: usize) -> Result<(), ModelError> {
    if shape.len() == 3 && shape[2] == frames as i64 {
        return Ok(());
    }
    Err(ModelError::Run { reason: format!("{name} has shape {shape:?} where {frames} frames are expected") })
}
