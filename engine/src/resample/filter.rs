//! The filter behind a resampler: rubato's windowed sinc, aligned to the stream's first frame, and at rest in silence.

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use tributary_dsp::Cause;

use super::rates::{CHUNK_FRAMES, common_divisor, exact_phases, reach_frames, sinc_frames};
use crate::error::EngineError;
use crate::silence::{self, Tail};

/// Phases to interpolate between; the error of cubic interpolation is then below −120 dB.
const INTERPOLATED_PHASES: usize = 256;
/// Longest period of the phases, in chunks, over which a resting filter catches up when sound comes.
const REST_PERIOD_LIMIT: usize = 512;
/// How many output phases to search for one that coincides with an input frame when the ratio is not rational.
const PHASE_SEARCH: usize = 4_096;

/// See the module documentation.
pub(super) struct Filter {
    inner: Async<f32>,
    /// Zeros fed before the stream.
    lead_in_frames: usize,
    /// Outputs dropped at the start.
    skip_frames: usize,
    /// Frames after an output's position that the filter needs, not counting gathering.
    pub(super) reach_frames: usize,
    pub(super) gathered: Vec<Vec<f32>>,
    pub(super) output: Vec<Vec<f32>>,
    skipped: usize,
    pub(super) rest: Option<Rest>,
}

/// Silence after silence needs no filter, only the right number of frames. After a period of chunks the filter is
/// where it was before; so in silence it stands still, and what is left of a period is made up for at the next sound.
/// The result is that of a filter that never rests, bit for bit.
pub(super) struct Rest {
    /// Output frames of each chunk of the period, as they came last.
    made: Vec<usize>,
    /// Output frames of a whole period.
    period_frames: usize,
    /// Place of the next chunk in the period.
    at: usize,
    /// Chunks of the period that the filter stands behind.
    owed: usize,
    /// In chunks: as many as fill the filter and a period.
    pub(super) tail: Tail,
}

impl Rest {
    /// `None` when the phases do not repeat soon.
    fn new(from_hz: f64, to_hz: f64, sinc_frames: usize) -> Option<Self> {
        let phases = exact_phases(from_hz, to_hz)?;
        // Input frames after which the phases repeat, and chunks after which chunks and phases do.
        let period_frames = (phases as f64 * from_hz / to_hz).round() as usize;
        let chunks = period_frames / common_divisor(period_frames as u64, CHUNK_FRAMES as u64) as usize;
        (chunks <= REST_PERIOD_LIMIT).then(|| Self {
            made: vec![0; chunks],
            period_frames: (chunks * CHUNK_FRAMES / period_frames) * phases,
            at: 0,
            owed: 0,
            tail: Tail::new(sinc_frames.div_ceil(CHUNK_FRAMES) + 3 + chunks),
        })
    }

    /// Frames made of a silent chunk without the filter; `None` when the filter must run.
    fn pass(&mut self) -> Option<usize> {
        if !self.tail.pass(1) || self.made.iter().sum::<usize>() != self.period_frames {
            return None;
        }
        self.owed = (self.owed + 1) % self.made.len();
        let made = self.made[self.at];
        self.at = (self.at + 1) % self.made.len();
        Some(made)
    }

    /// Notes what the filter made of a chunk.
    fn note(&mut self, made: usize) {
        self.made[self.at] = made;
        self.at = (self.at + 1) % self.made.len();
    }

    fn reset(&mut self) {
        (self.at, self.owed) = (0, 0);
        self.tail.restart();
    }
}

impl Filter {
    /// Between two rates in range.
    pub(super) fn new(from_hz: f64, to_hz: f64, channels: usize) -> Result<Self, EngineError> {
        let sinc_frames = sinc_frames(from_hz, to_hz);
        let phases = exact_phases(from_hz, to_hz);
        let (oversampling_factor, interpolation) = match phases {
            Some(phases) => (phases, SincInterpolationType::Nearest),
            None => (INTERPOLATED_PHASES, SincInterpolationType::Cubic),
        };
        let parameters = SincInterpolationParameters::new(sinc_frames, WindowFunction::BlackmanHarris2)
            .oversampling_factor(oversampling_factor)
            .interpolation(interpolation);
        let inner =
            Async::new_sinc(to_hz / from_hz, 1.0, &parameters, CHUNK_FRAMES, channels, FixedAsync::Input)
                .map_err(|e| EngineError::Resampler { reason: Cause::new(e) })?;
        let (lead_in_frames, skip_frames) = alignment(from_hz, to_hz, sinc_frames, oversampling_factor);
        let output = vec![vec![0.0; inner.output_frames_max()]; channels];
        let gathered = vec![Vec::with_capacity(CHUNK_FRAMES); channels];
        let reach_frames = reach_frames(from_hz, to_hz);
        let rest = Rest::new(from_hz, to_hz, sinc_frames);
        let mut filter =
            Self { inner, lead_in_frames, skip_frames, reach_frames, gathered, output, skipped: 0, rest };
        filter.reset();
        Ok(filter)
    }

    /// Back to an empty stream.
    pub(super) fn reset(&mut self) {
        self.inner.reset();
        self.skipped = 0;
        if let Some(rest) = &mut self.rest {
            rest.reset();
        }
        for gathered in &mut self.gathered {
            gathered.clear();
        }
        let mut left = self.lead_in_frames;
        while left > 0 {
            let count = left.min(CHUNK_FRAMES);
            for gathered in &mut self.gathered {
                gathered.resize(count, 0.0);
            }
            left -= count;
            if count == CHUNK_FRAMES {
                self.run();
            }
        }
    }

    /// Converts one gathered chunk; the returned range of `output` is new, after dropping what precedes the stream.
    pub(super) fn run(&mut self) -> std::ops::Range<usize> {
        let made = self.rest_or_convert();
        for gathered in &mut self.gathered {
            gathered.clear();
        }
        let dropped = made.min(self.skip_frames - self.skipped);
        self.skipped += dropped;
        dropped..made
    }

    /// Frames made of the gathered chunk, with the filter or without.
    fn rest_or_convert(&mut self) -> usize {
        let silent = self.gathered.iter().all(|channel| silence::is_silent(channel));
        let Some(rest) = &mut self.rest else { return self.convert() };
        if silent {
            if let Some(made) = rest.pass() {
                self.output.iter_mut().for_each(|channel| channel[..made].fill(0.0));
                return made;
            }
        } else {
            rest.tail.restart();
        }
        if rest.owed > 0 {
            self.catch_up();
        }
        let made = self.convert();
        if let Some(rest) = &mut self.rest {
            rest.note(made);
        }
        made
    }

    /// Takes the filter through the silent chunks of a period that were passed without it.
    fn catch_up(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        let owed = std::mem::take(&mut rest.owed);
        let silence = vec![vec![0.0; CHUNK_FRAMES]; self.gathered.len()];
        let chunk = std::mem::replace(&mut self.gathered, silence);
        for _ in 0..owed {
            self.convert();
        }
        self.gathered = chunk;
    }

    /// Runs the filter over the gathered chunk.
    fn convert(&mut self) -> usize {
        let channels = self.gathered.len();
        let capacity = self.output[0].len();
        let input = SequentialSliceOfVecs::new(&self.gathered, channels, CHUNK_FRAMES);
        let output = SequentialSliceOfVecs::new_mut(&mut self.output, channels, capacity);
        match (input, output) {
            (Ok(input), Ok(mut output)) => {
                self.inner.process_into_buffer(&input, &mut output, None).map_or(0, |(_, made)| made)
            }
            // Both sizes are fixed at construction; a mismatch cannot occur and would only lose audio.
            _ => 0,
        }
    }
}

/// How many zeros to feed and how many outputs to drop so that the first output kept lies on the stream's first frame.
///
/// Rubato's output k lies at input position (k + 1)·r − sinc/2 + 1/phases, r = in/out: its index starts at −(sinc − 1)
/// and is advanced before each output, and its filter table of phase s peaks at sinc/2 − 1 + (s + 1)/phases. Among the
/// outputs at positions ≥ 0 the one closest to a whole frame is taken; for rational ratios it is exact.
fn alignment(from_hz: f64, to_hz: f64, sinc_frames: usize, phases: usize) -> (usize, usize) {
    let offset = sinc_frames as f64 / 2.0 - 1.0 / phases as f64;
    let position = |k: usize| (k + 1) as f64 * from_hz / to_hz - offset;
    let first = (offset * to_hz / from_hz).ceil() as usize;
    let mut best = (f64::INFINITY, 0, 0);
    for k in first.saturating_sub(1)..first + PHASE_SEARCH {
        let at = position(k);
        let error = (at - at.round()).abs();
        if at.round() >= 0.0 && error < best.0 - 1e-9 {
            best = (error, at.round() as usize, k);
        }
    }
    (best.1, best.2)
}
