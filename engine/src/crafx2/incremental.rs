//! CRAFx2 in four parts that compute every latent frame once. Front and back end run on new samples as in `split.rs`;
//! the latent mixer is cut in two, because its parts wait for different stretches of the future:
//!
//! ```text
//! stems ─ front ─▶ latent ─ temporal ─▶ mixed ─ recurrent ─▶ mask ─ back ─▶ mix
//!    edge: newest − margin    edge − delay      hop and `ahead`
//! ```
//!
//! The temporal net works `delay` frames behind the newest latent frame and keeps its own past (`memory`); the recurrent
//! part carries the forward LSTMs' state, and its backward LSTMs see `ahead` frames beyond the hop. When the window's
//! lookahead is too short for delay and `ahead`, the mask is used late: the mask of frame t − `late_frames` acts on the
//! bands of frame t. A mask moves slowly, so that costs little and makes short latencies possible with any network.
//! What both parts carry and average over time is in `mixer.rs`.

use tributary_dsp::CHANNELS;

use super::back_end::BackRun;
use super::bands::{Bands, History};
use super::ends::{BackEnd, Ends, FrontEnd};
use super::front_end::FrontRun;
use super::masks::Masks;
use super::mixer::{Mixer, Sizes};
use crate::bundle::contract::{FRAME_RATIO, SPLIT_MARGIN_FRAMES as MARGIN, WindowGeometry};
use crate::bundle::parity::ParityVectors;
use crate::bundle::statistics::{Prior, Statistics};
use crate::error::ModelError;
use crate::mask_meter::MaskMeter;
use crate::model::{MaskHold, MixHop, MixModel, SongLearner};
use crate::onnx::graph::{Graph, RunOptions, unlimited};
use crate::pipeline::window::{HOPS_SHOWN, StemWindow};

/// Latent frames of lookahead in the parity vectors; the exporter uses the same.
const PARITY_AHEAD: usize = 16;

/// Frames of silence that a bundle without parity vectors is tried on.
const PROOF_FRAMES: usize = 4096;

/// What the network is made of.
pub(crate) struct Parts {
    pub(crate) ends: Ends,
    pub(crate) temporal: Graph,
    pub(crate) recurrent: Graph,
    /// Makes both ends once more, for another thread.
    pub(crate) reopen: Reopen,
}

/// Makes both ends of a network once more.
pub(crate) type Reopen = Box<dyn Fn() -> Result<Ends, ModelError> + Send>;

/// See the module documentation.
pub(crate) struct IncrementalModel {
    geometry: WindowGeometry,
    front: FrontRun,
    /// Makes both ends for more threads.
    reopen: Reopen,
    back: BackRun,
    masks: Masks,
    /// How far they go when the network is let through wholly.
    mask_share: f32,
    mixer: Mixer,
    /// conv_1's output up to the edge.
    bands: Bands,
    /// Mean level of the bands per latent frame up to the edge.
    levels: History,
    /// The temporal net's output up to edge − delay.
    mixed: History,
    /// The mask just before the next hop, per filter.
    previous_mask: Vec<f32>,
    /// Latent frames beyond a hop that the backward LSTMs see.
    ahead: usize,
    /// Latent frames by which the mask is late.
    late: usize,
    /// Nothing of the stream has been computed.
    fresh: bool,
    options: RunOptions,
    latents: Vec<f32>,
    gathered: Vec<f32>,
}

impl IncrementalModel {
    pub(crate) fn new(
        geometry: WindowGeometry,
        sizes: Sizes,
        parts: Parts,
        prior: Prior,
        output_drive_db: Option<f64>,
    ) -> Result<Self, ModelError> {
        let Parts { ends, temporal, recurrent, reopen } = parts;
        let filters = sizes.filters;
        let front = FrontRun::new(ends.front, filters);
        let back = BackRun::new(ends.back, filters, output_drive_db);
        // What the lookahead leaves beyond margin and delay is there to look ahead; the joint's frames at least.
        let reach = (geometry.lookahead_frames - MARGIN) / FRAME_RATIO;
        let ahead = reach.saturating_sub(sizes.delay).max(geometry.crossfade_frames / FRAME_RATIO + 1);
        let late = ahead + sizes.delay - reach;
        let kept = geometry.window_frames() / FRAME_RATIO + sizes.delay + ahead;
        let frames_per_s = f64::from(geometry.sample_rate_hz) / FRAME_RATIO as f64;
        let mixer = Mixer::new(sizes, temporal, recurrent, prior, frames_per_s)?;
        let band_frames = geometry.hop_frames + geometry.lookahead_frames - MARGIN + FRAME_RATIO;
        Ok(Self {
            geometry,
            front,
            reopen,
            back,
            masks: Masks::default(),
            mask_share: 1.0,
            mixer,
            bands: Bands::new(band_frames),
            levels: History::new(filters, kept),
            mixed: History::new(filters, kept),
            previous_mask: vec![0.0; filters],
            ahead,
            late,
            fresh: true,
            options: unlimited()?,
            latents: Vec::new(),
            gathered: Vec::new(),
        })
    }

    /// The same with masks that go only so far when the network is let through wholly.
    pub(crate) fn with_mask_share(self, share: f64) -> Self {
        Self { mask_share: share as f32, ..self }
    }

    /// The first run: learns what silence looks like, then proves the graphs on the parity vectors.
    pub(crate) fn warm_up(
        &mut self,
        options: &RunOptions,
        parity: Option<&ParityVectors>,
    ) -> Result<(), ModelError> {
        self.front.learn_silence(options)?;
        let rate_hz = f64::from(self.geometry.sample_rate_hz);
        let filters = self.mixer.sizes.filters;
        self.masks = Masks::measure(options, filters, &mut self.front, &mut self.back, rate_hz)?;
        match parity {
            Some(parity) => parity.compare(&self.whole_signal(options, &parity.input, parity.frames)?)?,
            None => {
                let silence = vec![0.0; CHANNELS * PROOF_FRAMES];
                self.whole_signal(options, &silence, PROOF_FRAMES)?;
            }
        }
        self.reset();
        Ok(())
    }

    /// A whole signal in one step, silence after its end, with the shipped statistics frozen: (8, frames) to
    /// (2, frames). The exporter's `stepped_output` is the same.
    fn whole_signal(
        &mut self,
        options: &RunOptions,
        input: &[f32],
        frames: usize,
    ) -> Result<Vec<f32>, ModelError> {
        if !frames.is_multiple_of(FRAME_RATIO) {
            return Err(ModelError::Run {
                reason: format!("{frames} parity frames are no multiple of 64").into(),
            });
        }
        let Sizes { filters, delay, .. } = self.mixer.sizes;
        let (now, more) = (frames / FRAME_RATIO, delay + PARITY_AHEAD);
        let columns = now + more;
        let mut latents = vec![0.0; filters * columns];
        let mut levels = History::new(filters, now);
        let mut bands = Bands::new(frames + 2 * FRAME_RATIO);
        let made = self.front.run(options, input.chunks_exact(frames))?;
        place(&mut latents, columns, 0, made.latent()?, now);
        levels.push(made.level()?, now);
        bands.push(made);
        bands.push_silence(FRAME_RATIO);
        self.front.place_silence(&mut latents, columns, now..columns);

        self.mixer.statistics.freeze(Some(self.mixer.statistics.prior().clone()));
        self.mixer.restart();
        let mut mixed = History::new(filters, now + PARITY_AHEAD);
        self.mixer.step_temporal(options, &latents, |made, count| mixed.push(made, count))?;
        let (mut current, mut ahead) = (Vec::new(), Vec::new());
        mixed.copy(0..now, &mut current);
        mixed.copy(now..now + PARITY_AHEAD, &mut ahead);
        self.mixer.step_recurrent(options, &current, &ahead, &levels.rows)?;
        self.mixer.statistics.freeze(None);

        let mut mask = History::new(filters, now + 2);
        for (row, made) in
            mask.rows.chunks_exact_mut(now + 2).zip(self.mixer.mask.chunks_exact(now + PARITY_AHEAD))
        {
            row[1..=now].copy_from_slice(&made[..now]);
        }
        self.back.run_whole(options, &bands, &mask.rows)
    }

    /// Forgets the stream but keeps what it averaged.
    fn restart(&mut self) {
        self.front.forget();
        self.mixer.restart();
        self.bands.clear();
        for history in [&mut self.levels, &mut self.mixed] {
            history.rows.fill(0.0);
        }
        self.previous_mask.fill(0.0);
        self.masks.meter().into_iter().for_each(MaskMeter::restart);
        self.fresh = true;
    }

    /// Brings bands, levels and mixed frames up to the window's edge; returns how many mixed frames the recurrent part
    /// has not seen, `ahead` not counted.
    fn advance(&mut self, window: &StemWindow) -> Result<usize, ModelError> {
        let length = self.geometry.window_frames();
        let start_frames = self.geometry.hop_frames + self.geometry.lookahead_frames - MARGIN;
        let mut behind = window.advanced_frames();
        if !self.fresh && behind > length - 2 * MARGIN {
            // More was skipped than the window holds: what was carried belongs to another place in the song.
            self.restart();
        }
        // A stream starts with its first hop; what lies before it is silence and is not computed.
        let lead = if self.fresh { self.late } else { 0 };
        if self.fresh {
            behind = start_frames;
        }
        let Self { front, bands, levels, mixed, mixer, options, latents, .. } = self;
        let filters = mixer.sizes.filters;
        let columns = lead + behind / FRAME_RATIO;
        latents.clear();
        latents.resize(filters * columns, 0.0);
        front.place_silence(latents, columns, 0..lead);
        let mut at = lead;
        front.follow(options, window, behind, |made| {
            let count = made.frames / FRAME_RATIO;
            place(latents, columns, at, made.latent()?, count);
            levels.push(made.level()?, count);
            bands.push(made);
            at += count;
            Ok(())
        })?;
        let mut fresh_frames = 0;
        mixer.step_temporal(options, latents, |made, count| {
            mixed.push(made, count);
            fresh_frames = count;
        })?;
        let now = if self.fresh { fresh_frames - self.ahead } else { fresh_frames };
        self.fresh = false;
        Ok(now)
    }

    /// Brings everything up to the window's edge but the mix; returns how many mask frames are new.
    fn hear(&mut self, window: &StemWindow) -> Result<usize, ModelError> {
        let now = self.advance(window)?;
        let (end, delay, ahead) = (self.mixed.frames - self.ahead, self.mixer.sizes.delay, self.ahead);
        let (mut current, mut after, mut level) = (Vec::new(), Vec::new(), Vec::new());
        self.mixed.copy(end - now..end, &mut current);
        self.mixed.copy(end..end + ahead, &mut after);
        self.levels.copy(end - delay - now..end - delay, &mut level);
        self.mixer.step_recurrent(&self.options, &current, &after, &level)?;
        Ok(now)
    }

    /// Mask frames that the hop needs, one on either side of it, from the mask of the newest `now` frames and `ahead`.
    fn gather_mask(&mut self, now: usize) {
        let hop = self.geometry.hop_frames / FRAME_RATIO;
        let last = now + self.geometry.crossfade_frames / FRAME_RATIO + 1;
        self.gathered.clear();
        for (row, previous) in self.mixer.mask.chunks_exact(now + self.ahead).zip(&mut self.previous_mask) {
            let before = if now > hop { row[now - hop - 1] } else { *previous };
            self.gathered.push(before);
            self.gathered.extend_from_slice(&row[now - hop..last]);
            *previous = row[now - 1];
        }
    }
}

/// Copies rows of `count` frames into rows of `columns` frames, from column `at` on.
fn place(rows: &mut [f32], columns: usize, at: usize, new: &[f32], count: usize) {
    for (row, new) in rows.chunks_exact_mut(columns).zip(new.chunks_exact(count)) {
        row[at..at + count].copy_from_slice(new);
    }
}

impl MixModel for IncrementalModel {
    fn geometry(&self) -> WindowGeometry {
        self.geometry
    }

    fn reset(&mut self) {
        self.restart();
        self.mixer.statistics.reset();
    }

    fn learner(&mut self) -> Option<&mut dyn SongLearner> {
        Some(self)
    }

    fn look_ahead(&mut self) -> bool {
        // They opened once; if they do not again, one thread does.
        let more: Result<Vec<Ends>, ModelError> = (0..HOPS_SHOWN).map(|_| (self.reopen)()).collect();
        let Ok(more) = more else { return false };
        let (fronts, backs): (Vec<FrontEnd>, Vec<BackEnd>) =
            more.into_iter().map(|ends| (ends.front, ends.back)).unzip();
        self.front.look_ahead(fronts);
        backs.into_iter().take(1).for_each(|back| self.back.share(back));
        true
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
        let now = self.hear(window)?;
        self.gather_mask(now);
        let hop_columns = self.geometry.hop_frames / FRAME_RATIO;
        self.masks.apply(&mut self.gathered, self.mixer.sizes.filters, hop_columns);
        self.back.run(&self.options, &self.bands, &self.gathered, mix)
    }
}

impl SongLearner for IncrementalModel {
    fn rest(&mut self) {
        self.restart();
    }

    fn listen(&mut self, window: &StemWindow) -> Result<(), ModelError> {
        let now = self.hear(window)?;
        self.gather_mask(now);
        Ok(())
    }

    fn learned(&self) -> Option<Statistics> {
        self.mixer.statistics.learned()
    }

    fn freeze(&mut self, statistics: Option<Statistics>) -> Result<(), ModelError> {
        let Sizes { norms, filters, .. } = self.mixer.sizes;
        if statistics.as_ref().is_some_and(|given| !given.fits(norms, filters)) {
            return Err(ModelError::Statistics);
        }
        self.mixer.statistics.freeze(statistics);
        Ok(())
    }
}
