//! Sample-rate conversion with exact alignment. A [`Resampler`] turns a stream at one rate into a stream at another so
//! that output frame k lies exactly at input time k · in/out: the filter's delay is removed by choosing how many zeros
//! to feed before the stream and how many outputs to drop, so that an output phase coincides with the first input
//! frame. Any host rate from 8 to 768 kHz works, and the result does not depend on how the input is cut into pieces.
//!
//! The filter is rubato's windowed sinc. Where the rates have a ratio of small terms (48 k, 96 k, …) every output
//! phase has its own filter (`Nearest` with an oversampling factor equal to the number of phases), which is an exact
//! polyphase resampler at one dot product per sample; other ratios interpolate between 256 phases. Rubato's FFT
//! resampler is cheaper still but gathers a whole FFT block, which costs tens of milliseconds of latency.

use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

use tributary_dsp::StereoBuffer;

use crate::error::EngineError;
use crate::silence;

/// Lowest and highest host rate.
pub const RATE_RANGE_HZ: std::ops::RangeInclusive<f64> = 8_000.0..=768_000.0;

/// Length of the sinc in frames of the lower rate: at −97 dB stop band the transition is 1.3 kHz wide at 44.1 kHz.
const SINC_FRAMES: f64 = 256.0;
/// Input frames per call of the filter: small against every hop, large against the cost of a call.
const CHUNK_FRAMES: usize = 64;
/// Ratios with more phases than this interpolate between phases instead.
const EXACT_PHASES_LIMIT: u64 = 4_096;
/// Phases to interpolate between; the error of cubic interpolation is then below −120 dB.
const INTERPOLATED_PHASES: usize = 256;
/// Longest period of the phases, in chunks, over which a resting filter catches up when sound comes.
const REST_PERIOD_LIMIT: usize = 512;
/// How many output phases to search for one that coincides with an input frame when the ratio is not rational.
const PHASE_SEARCH: usize = 4_096;

/// Converts a planar stream of `CHANNELS` channels.
pub struct Resampler<const CHANNELS: usize> {
    /// `None` at equal rates: frames pass through untouched.
    filter: Option<Filter>,
    in_per_out: f64,
}

struct Filter {
    inner: Async<f32>,
    /// Zeros fed before the stream.
    lead_in_frames: usize,
    /// Outputs dropped at the start.
    skip_frames: usize,
    /// Frames after an output's position that the filter needs, not counting gathering.
    reach_frames: usize,
    gathered: Vec<Vec<f32>>,
    output: Vec<Vec<f32>>,
    skipped: usize,
    rest: Option<Rest>,
}

/// Silence after silence needs no filter, only the right number of frames. After a period of chunks the filter is
/// where it was before; so in silence it stands still, and what is left of a period is made up for at the next sound.
/// The result is that of a filter that never rests, bit for bit.
struct Rest {
    /// Output frames of each chunk of the period, as they came last.
    made: Vec<usize>,
    /// Output frames of a whole period.
    period_frames: usize,
    /// Place of the next chunk in the period.
    at: usize,
    /// Chunks of the period that the filter stands behind.
    owed: usize,
    /// Silent chunks so far, and as many as fill the filter and a period.
    silent: usize,
    enough: usize,
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
            silent: 0,
            enough: sinc_frames.div_ceil(CHUNK_FRAMES) + 2 + chunks,
        })
    }

    /// Frames made of a silent chunk without the filter; `None` when the filter must run.
    fn pass(&mut self) -> Option<usize> {
        self.silent += 1;
        if self.silent <= self.enough || self.made.iter().sum::<usize>() != self.period_frames {
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
        (self.at, self.owed, self.silent) = (0, 0, 0);
    }
}

impl<const CHANNELS: usize> Resampler<CHANNELS> {
    /// A converter from `from_hz` to `to_hz`.
    ///
    /// # Errors
    /// When a rate is outside [`RATE_RANGE_HZ`].
    pub fn new(from_hz: f64, to_hz: f64) -> Result<Self, EngineError> {
        for rate_hz in [from_hz, to_hz] {
            if !RATE_RANGE_HZ.contains(&rate_hz) {
                return Err(EngineError::SampleRate { rate_hz });
            }
        }
        let in_per_out = from_hz / to_hz;
        let filter = if from_hz == to_hz { None } else { Some(Filter::new(from_hz, to_hz, CHANNELS)?) };
        Ok(Self { filter, in_per_out })
    }

    /// Frames of input that must lie beyond an output frame's time before that frame comes out, at most: half the
    /// filter and the gathering of a chunk.
    pub fn lookahead_frames(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.reach_frames + CHUNK_FRAMES)
    }

    /// Half-length of the filter in input frames: input farther away than this from an output frame does not
    /// influence it.
    pub fn reach_frames(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.reach_frames)
    }

    /// Input frames per output frame.
    pub fn in_per_out(&self) -> f64 {
        self.in_per_out
    }

    /// Back to an empty stream.
    pub fn reset(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.reset();
        }
    }

    /// Takes planar input of any length and hands output to `sink` in pieces, in order.
    pub fn process(&mut self, input: [&[f32]; CHANNELS], mut sink: impl FnMut([&[f32]; CHANNELS])) {
        let Some(filter) = &mut self.filter else {
            sink(input);
            return;
        };
        let frames = input[0].len();
        let mut taken = 0;
        while taken < frames {
            let room = CHUNK_FRAMES - filter.gathered[0].len();
            let count = room.min(frames - taken);
            for (gathered, channel) in filter.gathered.iter_mut().zip(input) {
                gathered.extend_from_slice(&channel[taken..taken + count]);
            }
            taken += count;
            if filter.gathered[0].len() == CHUNK_FRAMES {
                let range = filter.run();
                if !range.is_empty() {
                    sink(std::array::from_fn(|channel| &filter.output[channel][range.clone()]));
                }
            }
        }
    }
}

/// [`Resampler::lookahead_frames`] without building one.
///
/// # Errors
/// When a rate is outside [`RATE_RANGE_HZ`].
pub fn lookahead_frames(from_hz: f64, to_hz: f64) -> Result<usize, EngineError> {
    for rate_hz in [from_hz, to_hz] {
        if !RATE_RANGE_HZ.contains(&rate_hz) {
            return Err(EngineError::SampleRate { rate_hz });
        }
    }
    Ok(if from_hz == to_hz { 0 } else { reach_frames(from_hz, to_hz) + CHUNK_FRAMES })
}

/// [`Resampler::reach_frames`] without building one.
pub(crate) fn reach_frames(from_hz: f64, to_hz: f64) -> usize {
    if from_hz == to_hz { 0 } else { sinc_frames(from_hz, to_hz) / 2 + 2 }
}

/// Length of the filter in input frames: longer when the output rate is the lower one.
fn sinc_frames(from_hz: f64, to_hz: f64) -> usize {
    ((SINC_FRAMES * (from_hz / to_hz).max(1.0)).ceil() as usize).next_multiple_of(8)
}

impl Filter {
    fn new(from_hz: f64, to_hz: f64, channels: usize) -> Result<Self, EngineError> {
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
                .map_err(|e| EngineError::Resampler { reason: e.to_string() })?;
        let (lead_in_frames, skip_frames) = alignment(from_hz, to_hz, sinc_frames, oversampling_factor);
        let output = vec![vec![0.0; inner.output_frames_max()]; channels];
        let gathered = vec![Vec::with_capacity(CHUNK_FRAMES); channels];
        let reach_frames = sinc_frames / 2 + 2;
        let rest = Rest::new(from_hz, to_hz, sinc_frames);
        let mut filter =
            Self { inner, lead_in_frames, skip_frames, reach_frames, gathered, output, skipped: 0, rest };
        filter.reset();
        Ok(filter)
    }

    fn reset(&mut self) {
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
    fn run(&mut self) -> std::ops::Range<usize> {
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
            rest.silent = 0;
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

/// Number of distinct output phases when the ratio is rational with terms below [`EXACT_PHASES_LIMIT`].
fn exact_phases(from_hz: f64, to_hz: f64) -> Option<usize> {
    if from_hz.fract() != 0.0 || to_hz.fract() != 0.0 {
        return None;
    }
    let phases = to_hz as u64 / common_divisor(from_hz as u64, to_hz as u64);
    (phases <= EXACT_PHASES_LIMIT).then_some(phases as usize)
}

/// The shortest stretch, in frames of either rate, after which output frames fall on input frames again; `None` when the
/// filter has no exact phases.
pub(crate) fn period(from_hz: f64, to_hz: f64) -> Option<(usize, usize)> {
    let phases = exact_phases(from_hz, to_hz)?;
    Some((from_hz as usize / common_divisor(from_hz as u64, to_hz as u64) as usize, phases))
}

/// The largest number that divides both.
fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
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

/// Converts a stereo stream that ends: the result is as long as the input to the nearest frame and starts at the same
/// instant.
pub struct Converter {
    resampler: Resampler<2>,
    taken_frames: u64,
    given_frames: u64,
}

impl Converter {
    /// A converter between any two rates in [`RATE_RANGE_HZ`].
    ///
    /// # Errors
    /// When a rate is outside the range.
    pub fn new(from_hz: f64, to_hz: f64) -> Result<Self, EngineError> {
        Ok(Self { resampler: Resampler::new(from_hz, to_hz)?, taken_frames: 0, given_frames: 0 })
    }

    /// Takes in the next piece, left and right of the same length, and hands on what is ready.
    pub fn push(&mut self, piece: [&[f32]; 2], mut sink: impl FnMut([&[f32]; 2])) {
        self.taken_frames += piece[0].len() as u64;
        let given_frames = &mut self.given_frames;
        self.resampler.process(piece, |piece| {
            *given_frames += piece[0].len() as u64;
            sink(piece);
        });
    }

    /// Ends the stream and hands on the rest.
    pub fn finish(mut self, mut sink: impl FnMut([&[f32]; 2])) {
        let in_per_out = self.resampler.in_per_out();
        let frames = (self.taken_frames as f64 / in_per_out).round() as u64;
        let mut missing = frames.saturating_sub(self.given_frames) as usize;
        let tail = vec![0.0; self.resampler.lookahead_frames() + in_per_out.ceil() as usize + 1];
        self.resampler.process([&tail, &tail], |[left, right]| {
            let count = left.len().min(missing);
            missing -= count;
            sink([&left[..count], &right[..count]]);
        });
        let rest = vec![0.0; missing];
        sink([&rest, &rest]);
    }
}

/// Converts a whole stereo file; see [`Converter`].
///
/// # Errors
/// When a rate is outside the range.
pub fn convert(audio: &StereoBuffer, from_hz: f64, to_hz: f64) -> Result<StereoBuffer, EngineError> {
    let mut converter = Converter::new(from_hz, to_hz)?;
    let mut result = StereoBuffer::default();
    let mut collect = |piece: [&[f32]; 2]| {
        result.left.extend_from_slice(piece[0]);
        result.right.extend_from_slice(piece[1]);
    };
    converter.push([&audio.left, &audio.right], &mut collect);
    converter.finish(&mut collect);
    Ok(result)
}

#[cfg(test)]
#[path = "resample_tests.rs"]
mod tests;
