//! The first half of the pipeline: stems at the host's rate in, normalized stems at the model's rate out, and their sum.

use tributary_dsp::{CHANNELS, FxNormalizer, ProfileSource, Recipe, StemsBlock, Targets};

use crate::anchor::Anchor;
use crate::error::EngineError;
use crate::meters::MeterBank;
use crate::output::HostOutput;
use crate::resample::Resampler;
use crate::silence;
use crate::tap::Tap;
use crate::window::StemWindow;

/// Frames the normalizer processes at a time.
const NORMALIZER_BLOCK_FRAMES: usize = 1024;
/// Frames of a push that are handled before due hops run: bounds the memory a long push takes.
pub(crate) const PUSH_FRAMES: usize = 4096;
static SILENCE: [f32; PUSH_FRAMES] = [0.0; PUSH_FRAMES];
/// Samples beyond this (+60 dB full scale) are garbage, not audio. They become silence, like what is not a number:
/// clamped, a burst of them would be the loudest material that the running estimates ever hear.
const LIMIT_LINEAR: f32 = 1000.0;
/// Values below this are set to zero: decaying filters otherwise end in denormals, which cost a hundredfold.
const DENORMAL_GUARD_LINEAR: f32 = 1e-20;

/// Builds the normalizer a pipeline uses. Also gives the engine its latency before a model exists.
pub(crate) fn build_normalizer(
    recipe: &Recipe,
    targets: &Targets,
    source: ProfileSource,
    sample_rate_hz: f64,
) -> Result<FxNormalizer, EngineError> {
    FxNormalizer::new(recipe, targets, source, sample_rate_hz, NORMALIZER_BLOCK_FRAMES)
        .map_err(|e| EngineError::Normalizer { reason: e.to_string() })
}

/// Stems to normalized stems, in order, in pieces of any length.
pub(crate) struct Intake {
    to_model: Resampler<CHANNELS>,
    stage: Stage,
    host_rate_hz: f64,
    model_rate_hz: f64,
    pushed_frames: u64,
    /// Host frames before the song that have not been taken yet; `None` once a sound or the song has come.
    before_song_frames: Option<usize>,
    sanitized: [Vec<f32>; CHANNELS],
}

/// What happens at the model's rate. Apart from [`Intake`] so that the resampler can hand frames to it while both are
/// borrowed.
struct Stage {
    normalizer: FxNormalizer,
    /// Resampled frames that have come, and how many of them precede the song and are silence.
    resampled_frames: u64,
    before_song_frames: u64,
    /// Resampled frames ahead of the stream that are still to come: nobody meters or captures them.
    lead_left_frames: usize,
    /// Frames of the normalizer's delay that still have to be dropped.
    delay_left_frames: usize,
    scratch: [Vec<f32>; CHANNELS],
    sum: [Vec<f32>; 2],
    sum_output: HostOutput,
    meters: Option<MeterBank>,
    tap: Option<Tap>,
}

impl Intake {
    pub(crate) fn new(
        normalizer: FxNormalizer,
        host_rate_hz: f64,
        model_rate_hz: f64,
    ) -> Result<Self, EngineError> {
        let room = |frames| move |_| Vec::with_capacity(frames);
        Ok(Self {
            to_model: Resampler::new(host_rate_hz, model_rate_hz)?,
            stage: Stage {
                delay_left_frames: normalizer.latency_samples(),
                normalizer,
                resampled_frames: 0,
                before_song_frames: 0,
                lead_left_frames: 0,
                scratch: std::array::from_fn(room(NORMALIZER_BLOCK_FRAMES)),
                sum: std::array::from_fn(room(NORMALIZER_BLOCK_FRAMES)),
                sum_output: HostOutput::new(model_rate_hz, host_rate_hz)?,
                meters: None,
                tap: None,
            },
            host_rate_hz,
            model_rate_hz,
            pushed_frames: 0,
            before_song_frames: None,
            sanitized: std::array::from_fn(room(PUSH_FRAMES)),
        })
    }

    /// Host frames taken since the stream started.
    pub fn pushed_frames(&self) -> u64 {
        self.pushed_frames
    }

    /// Back to the start of a stream with this anchor.
    pub(crate) fn start_at(&mut self, anchor: Anchor, window: &mut StemWindow) {
        self.to_model.reset();
        let stage = &mut self.stage;
        stage.lead_in(anchor.normalizer_frames);
        let before_song = anchor.before_song_frames as f64 * self.model_rate_hz / self.host_rate_hz;
        (stage.resampled_frames, stage.before_song_frames) = (0, before_song.ceil() as u64);
        let lead = anchor.host_frames as f64 * self.model_rate_hz / self.host_rate_hz;
        stage.lead_left_frames = lead.ceil() as usize;
        self.before_song_frames = Some(anchor.before_song_frames);
        stage.sum_output.start_after(anchor.host_frames);
        if let Some(meters) = &mut stage.meters {
            meters.reset();
        }
        if let Some(tap) = &mut stage.tap {
            tap.restart();
        }
        let mut left = anchor.host_frames;
        while left > 0 {
            let count = left.min(PUSH_FRAMES);
            self.ingest([&SILENCE[..count]; CHANNELS], window);
            left -= count;
        }
        self.pushed_frames = 0;
    }

    /// Takes stems (eight planar slices of equal length, host rate) to the window: resampled, normalized, and their sum put
    /// out.
    pub fn ingest(&mut self, stems: [&[f32]; CHANNELS], window: &mut StemWindow) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + PUSH_FRAMES);
            let piece = stems.map(|channel| &channel[from..to]);
            let clean = if piece.iter().all(|channel| silence::is_silent(channel)) {
                [&SILENCE[..to - from]; CHANNELS]
            } else {
                for (clean, channel) in self.sanitized.iter_mut().zip(piece) {
                    clean.clear();
                    clean.extend_from_slice(channel);
                    sanitize(clean);
                }
                std::array::from_fn(|c| &self.sanitized[c][..])
            };
            let stage = &mut self.stage;
            if let Some(left) = self.before_song_frames {
                let silent = silence::leading_frames(clean);
                if silent < left.min(to - from) {
                    // Sound before the song: it is heard like any other.
                    stage.before_song_frames = 0;
                }
                self.before_song_frames = (silent == to - from && left > silent).then(|| left - silent);
            }
            self.to_model.process(clean, |piece| stage.take(piece, window));
            from = to;
        }
        self.stage.flush(window);
        self.pushed_frames += frames as u64;
    }

    /// The stream ends after so many host frames.
    pub(crate) fn end_at(&mut self, frames: u64) {
        self.pushed_frames = frames;
        self.stage.sum_output.truncate(frames);
    }

    pub(crate) fn normalizer(&self) -> &FxNormalizer {
        &self.stage.normalizer
    }

    pub(crate) fn normalizer_mut(&mut self) -> &mut FxNormalizer {
        &mut self.stage.normalizer
    }

    /// Where the sum of the normalized stems is put out.
    pub(crate) fn sum_output(&self) -> &HostOutput {
        &self.stage.sum_output
    }

    pub(crate) fn sum_output_mut(&mut self) -> &mut HostOutput {
        &mut self.stage.sum_output
    }

    pub(crate) fn meters(&self) -> Option<&MeterBank> {
        self.stage.meters.as_ref()
    }

    pub(crate) fn meters_mut(&mut self) -> Option<&mut MeterBank> {
        self.stage.meters.as_mut()
    }

    pub(crate) fn set_meters(&mut self, meters: Option<MeterBank>) {
        self.stage.meters = meters;
    }

    /// Copies what enters the normalizer from now on; `None` ends that.
    pub(crate) fn set_tap(&mut self, tap: Option<Tap>) {
        self.stage.tap = tap;
    }
}

impl Stage {
    /// Brings the normalizer to the start of a stream that begins `frames` after a grid point of the song.
    fn lead_in(&mut self, frames: usize) {
        self.normalizer.reset();
        self.delay_left_frames = self.normalizer.latency_samples() + frames;
        let mut left = frames;
        while left > 0 {
            let count = left.min(NORMALIZER_BLOCK_FRAMES);
            let mut silence = [[0.0; NORMALIZER_BLOCK_FRAMES]; CHANNELS];
            self.normalizer.process(&mut StemsBlock {
                channels: silence.each_mut().map(|channel| &mut channel[..count]),
            });
            // It has put out as many frames, all of them silence.
            self.delay_left_frames -= count;
            left -= count;
        }
    }

    /// Takes resampled stems in pieces of any length, which are gathered: [`Self::flush`] ends that.
    fn take(&mut self, stems: [&[f32]; CHANNELS], window: &mut StemWindow) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + NORMALIZER_BLOCK_FRAMES - self.scratch[0].len());
            for (scratch, channel) in self.scratch.iter_mut().zip(stems) {
                let silent = self.before_song_frames.saturating_sub(self.resampled_frames);
                let silent = silent.min((to - from) as u64);
                scratch.resize(scratch.len() + silent as usize, 0.0);
                scratch.extend_from_slice(&channel[from + silent as usize..to]);
            }
            self.resampled_frames += (to - from) as u64;
            if self.scratch[0].len() == NORMALIZER_BLOCK_FRAMES {
                self.flush(window);
            }
            from = to;
        }
    }

    /// Passes on what was gathered.
    fn flush(&mut self, window: &mut StemWindow) {
        if !self.scratch[0].is_empty() {
            self.normalize(window);
            self.scratch.iter_mut().for_each(Vec::clear);
        }
    }

    /// Normalizes what lies in `scratch` and passes it on to window, sum and meters.
    fn normalize(&mut self, window: &mut StemWindow) {
        let lead = self.lead_left_frames.min(self.scratch[0].len());
        self.lead_left_frames -= lead;
        let stems: [&[f32]; CHANNELS] = std::array::from_fn(|c| &self.scratch[c][lead..]);
        if let Some(meters) = &mut self.meters {
            meters.add_stems_before(stems);
        }
        if let Some(tap) = &mut self.tap {
            tap.push(stems);
        }
        let mut channels = self.scratch.iter_mut();
        self.normalizer.process(&mut StemsBlock {
            channels: std::array::from_fn(|_| {
                channels.next().map_or(&mut [] as &mut [f32], |c| c.as_mut_slice())
            }),
        });
        let dropped = self.delay_left_frames.min(self.scratch[0].len());
        self.delay_left_frames -= dropped;
        self.scratch.iter_mut().for_each(|channel| sanitize(channel));
        let stems: [&[f32]; CHANNELS] = std::array::from_fn(|c| &self.scratch[c][dropped..]);
        if stems[0].is_empty() {
            return;
        }
        for (side, sum) in self.sum.iter_mut().enumerate() {
            sum.clear();
            sum.extend_from_slice(stems[side]);
            for stem in 1..CHANNELS / 2 {
                for (sum, x) in sum.iter_mut().zip(stems[2 * stem + side]) {
                    *sum += x;
                }
            }
        }
        let sum = [&self.sum[0][..], &self.sum[1][..]];
        if let Some(meters) = &mut self.meters {
            meters.add_stems_after(stems, sum);
        }
        self.sum_output.take(sum);
        window.append(stems);
    }
}

/// Silences garbage and denormals.
fn sanitize(samples: &mut [f32]) {
    if silence::is_silent(samples) {
        // Not even the sign of a zero may depend on how the stream was cut.
        return samples.fill(0.0);
    }
    for x in samples {
        // False for NaN, which ends as 0.
        *x = if (DENORMAL_GUARD_LINEAR..=LIMIT_LINEAR).contains(&x.abs()) { *x } else { 0.0 };
    }
}
