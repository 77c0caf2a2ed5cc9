//! CRAFx2 in three parts, an exact rewrite that lets the expensive front end run on new samples only. The model keeps
//! what earlier hops computed: the front end's bands over hop and lookahead, and its latent frames (with their levels)
//! over the whole window. Per hop it runs the front end on the samples that are new, the latent mixer on all latent
//! frames of the window, and the back end on the frames of the hop and its crossfade.
//!
//! A latent frame needs samples up to 96 after it, so the front end stays `margin` = 128 frames behind the newest sample:
//! all caches end at that point, called the *edge*.

use super::back_end::BackRun;
use super::bands::{Bands, History};
use super::ends::Ends;
use super::front_end::FrontRun;
use super::masks::Masks;
use crate::bundle::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN, WindowGeometry};
use crate::bundle::parity::ParityVectors;
use crate::error::ModelError;
use crate::mask_meter::MaskMeter;
use crate::model::{MaskHold, MixHop, MixModel, SongLearner};
use crate::onnx::graph::{Graph, Input, Port, RunOptions, unlimited};
use crate::pipeline::window::StemWindow;

/// See the module documentation.
pub(crate) struct SplitModel {
    geometry: WindowGeometry,
    front: FrontRun,
    latent: Graph,
    back: BackRun,
    masks: Masks,
    /// How far they go when the network is let through wholly.
    mask_share: f32,
    filters: usize,
    /// conv_1's output up to the edge, one row per filter.
    bands: Bands,
    /// Latent frames up to the edge.
    latents: History,
    /// Mean level of the bands per latent frame up to the edge.
    levels: History,
    options: RunOptions,
    gathered: Vec<f32>,
}

impl SplitModel {
    pub(crate) fn new(
        geometry: WindowGeometry,
        filters: usize,
        ends: Ends,
        latent: Graph,
        output_drive_db: Option<f64>,
    ) -> Result<Self, ModelError> {
        let front = FrontRun::new(ends.front, filters);
        let back = BackRun::new(ends.back, filters, output_drive_db);
        let takes = ["latent", "level"].map(|name| Port::any_length(name, filters));
        latent.check(&takes, &[Port::any_length("mask", filters)])?;
        let frames = geometry.window_frames() / FRAME_RATIO;
        let band_frames = geometry.hop_frames + geometry.lookahead_frames - MARGIN + FRAME_RATIO;
        Ok(Self {
            geometry,
            front,
            latent,
            back,
            masks: Masks::default(),
            mask_share: 1.0,
            filters,
            bands: Bands::new(band_frames),
            latents: History::new(filters, frames),
            levels: History::new(filters, frames),
            options: unlimited()?,
            gathered: Vec::new(),
        })
    }

    /// The same with masks that go only so far when the network is let through wholly.
    pub(crate) fn with_mask_share(self, share: f64) -> Self {
        Self { mask_share: share as f32, ..self }
    }

    /// The first run: learns what silence looks like, then proves the three graphs on the parity vectors.
    pub(crate) fn warm_up(
        &mut self,
        options: &RunOptions,
        parity: Option<&ParityVectors>,
    ) -> Result<(), ModelError> {
        self.front.learn_silence(options)?;
        let rate_hz = f64::from(self.geometry.sample_rate_hz);
        self.masks = Masks::measure(options, self.filters, &mut self.front, &mut self.back, rate_hz)?;
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
            return Err(ModelError::Run {
                reason: format!("{frames} parity frames are no multiple of 64").into(),
            });
        }
        let filters = self.filters;
        let mut bands = Bands::new(frames + 2 * FRAME_RATIO);
        let made = self.front.run(options, parity.input.chunks_exact(frames))?;
        let mut mask = History::new(filters, frames / FRAME_RATIO + 2);
        run_latent(&mut self.latent, options, filters, made.latent()?, made.level()?, |made| {
            mask.push(made, frames / FRAME_RATIO);
            mask.push(&vec![0.0; filters], 1);
        })?;
        bands.push(made);
        bands.push_silence(FRAME_RATIO);
        self.back.run_whole(options, &bands, &mask.rows)
    }

    /// Brings the caches up to the window's edge.
    fn advance(&mut self, window: &StemWindow) -> Result<(), ModelError> {
        let length = self.geometry.window_frames();
        // What is older than the window minus the front end's own context cannot be computed, nor is it needed.
        let behind = window.advanced_frames().min(length - 2 * MARGIN);
        let Self { front, options, latents, levels, bands, .. } = self;
        front.follow(options, window, behind, |made| {
            let count = made.frames / FRAME_RATIO;
            latents.push(made.latent()?, count);
            levels.push(made.level()?, count);
            bands.push(made);
            Ok(())
        })
    }
}

impl MixModel for SplitModel {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    fn reset(&mut self) {
        self.bands.clear();
        self.levels.rows.fill(0.0);
        self.masks.meter().into_iter().for_each(MaskMeter::restart);
        let columns = self.latents.frames;
        self.front.place_silence(&mut self.latents.rows, columns, 0..columns);
    }

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        None
    }

    fn mask_share(&self) -> Option<f32> {
        self.masks.are_known().then_some(self.mask_share)
    }

    fn set_shares(&mut self, shares: Option<&[f32]>) {
        self.masks.set(shares);
    }

    fn hold_masks(&mut self, hold: MaskHold) -> bool {
        self.masks.hold(hold);
        true
    }

    fn mask_meter(&mut self) -> Option<&mut MaskMeter> {
        self.masks.meter()
    }

    fn run(&mut self, window: &StemWindow, mix: &mut MixHop<'_>) -> Result<(), ModelError> {
        self.advance(window)?;
        let filters = self.filters;
        let made = self.geometry.mix_frames();
        let Self { geometry, latent, back, masks, options, bands, latents, levels, gathered, .. } = self;
        // One latent frame either side of what is made. The caches end at the edge, MARGIN before the window's end.
        let mask_frames = made / FRAME_RATIO + 2;
        let first = (geometry.context_frames + MARGIN - FRAME_RATIO) / FRAME_RATIO;
        gathered.clear();
        run_latent(latent, options, filters, &latents.rows, &levels.rows, |mask| {
            for row in mask.chunks_exact(latents.frames) {
                gathered.extend_from_slice(&row[first..first + mask_frames]);
            }
        })?;
        masks.apply(gathered, filters, geometry.hop_frames / FRAME_RATIO);
        back.run(options, bands, gathered, mix)
    }
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
    let shape = [1, filters, frames];
    let inputs = [("latent", Input::Samples(shape, latent)), ("level", Input::Samples(shape, level))];
    take(graph.run(options, &inputs)?.samples("mask", shape)?);
    Ok(())
}
