//! The last stage of the pipeline: a stereo stream at the model's rate becomes a queue of frames at the host's rate, under
//! a ceiling that holds there, because a change of rate moves peaks.
//! Hops that were skipped pass through as silence and come out marked as missing (NaN), widened by the resampler's
//! reach, so that nothing that touches the gap is ever mistaken for the mix.

use std::collections::VecDeque;
use std::ops::Range;

use crate::bundle::contract::ContractLimiter;
use crate::error::EngineError;
use crate::pipeline::limiter::Limiter;
use crate::resample::Resampler;

/// Frames of silence handed to the resampler at a time.
const SILENCE_FRAMES: usize = 1024;

/// A stereo queue behind a resampler and, if there is one, a limiter.
pub(crate) struct HostOutput {
    resampler: Resampler<2>,
    limiter: Option<Limiter>,
    /// Model frames taken in since the stream started.
    taken_frames: u64,
    queue: Queue,
}

/// What is ready at the host's rate. Apart from [`HostOutput`] so that the stages before can hand frames to it.
struct Queue {
    model_per_host: f64,
    /// Host frames made since the stream started.
    made_frames: u64,
    /// Host frames made of the silence ahead of the stream, and how many of them are still to be dropped.
    lead_frames: usize,
    lead_left_frames: usize,
    ready: [VecDeque<f32>; 2],
    /// Gaps in model frames, widened by the filter's reach, oldest first.
    gaps: VecDeque<Range<f64>>,
}

impl HostOutput {
    pub(crate) fn new(model_rate_hz: f64, host_rate_hz: f64) -> Result<Self, EngineError> {
        Ok(Self {
            resampler: Resampler::new(model_rate_hz, host_rate_hz)?,
            limiter: None,
            taken_frames: 0,
            queue: Queue {
                model_per_host: model_rate_hz / host_rate_hz,
                made_frames: 0,
                lead_frames: 0,
                lead_left_frames: 0,
                ready: [VecDeque::new(), VecDeque::new()],
                gaps: VecDeque::new(),
            },
        })
    }

    /// The same output under a ceiling, if there is one.
    pub(crate) fn limited(mut self, limiter: Option<ContractLimiter>, host_rate_hz: f64) -> Self {
        self.limiter = limiter.map(|limiter| Limiter::new(limiter.ceiling_dbtp, host_rate_hz));
        self
    }

    /// Back to the start of a stream, ahead of whose first frame lie `lead_frames` host frames that are not wanted.
    pub(crate) fn start_after(&mut self, lead_frames: usize) {
        self.resampler.reset();
        self.limiter.iter_mut().for_each(Limiter::reset);
        self.taken_frames = 0;
        let queue = &mut self.queue;
        (queue.lead_frames, queue.lead_left_frames) = (lead_frames, lead_frames);
        queue.made_frames = 0;
        queue.ready.iter_mut().for_each(VecDeque::clear);
        queue.gaps.clear();
    }

    /// The host frame up to which `frames` more model frames reach.
    pub(crate) fn host_frame_after(&self, frames: usize) -> u64 {
        let end = (self.taken_frames + frames as u64) as f64 / self.queue.model_per_host;
        (end as u64).saturating_sub(self.queue.lead_frames as u64)
    }

    pub(crate) fn made_frames(&self) -> u64 {
        self.queue.made_frames
    }

    pub(crate) fn ready_frames(&self) -> usize {
        self.queue.ready[0].len()
    }

    /// Takes planar stereo frames at the model's rate.
    pub(crate) fn take(&mut self, frames: [&[f32]; 2]) {
        self.taken_frames += frames[0].len() as u64;
        let Self { resampler, limiter, queue, .. } = self;
        resampler.process(frames, |piece| match limiter {
            Some(limiter) => limiter.pass(piece, |piece| queue.push(piece)),
            None => queue.push(piece),
        });
    }

    /// Takes the place of `frames` model frames that were never made.
    pub(crate) fn take_missing(&mut self, frames: usize) {
        let reach = self.resampler.reach_frames() as f64;
        let from = self.taken_frames as f64;
        self.queue.gaps.push_back(from - reach..from + frames as f64 + reach);
        let silence = [0.0; SILENCE_FRAMES];
        let mut left = frames;
        while left > 0 {
            let count = left.min(SILENCE_FRAMES);
            self.take([&silence[..count], &silence[..count]]);
            left -= count;
        }
    }

    /// Writes up to `out[0].len()` frames and returns how many.
    pub(crate) fn pull(&mut self, out: &mut [&mut [f32]; 2]) -> usize {
        let count = out[0].len().min(self.ready_frames());
        for (queue, side) in self.queue.ready.iter_mut().zip(out) {
            let (head, tail) = queue.as_slices();
            let first = count.min(head.len());
            side[..first].copy_from_slice(&head[..first]);
            side[first..count].copy_from_slice(&tail[..count - first]);
            queue.drain(..count);
        }
        count
    }

    /// Drops frames beyond the stream's first `frames`.
    pub(crate) fn truncate(&mut self, frames: u64) {
        let surplus = self.made_frames().saturating_sub(frames) as usize;
        let keep = self.ready_frames().saturating_sub(surplus);
        self.queue.ready.iter_mut().for_each(|queue| queue.truncate(keep));
        self.queue.made_frames -= surplus as u64;
    }
}

impl Queue {
    fn push(&mut self, piece: [&[f32]; 2]) {
        let dropped = piece[0].len().min(self.lead_left_frames);
        self.lead_left_frames -= dropped;
        let piece = piece.map(|side| &side[dropped..]);
        // Counted from where the lead began, as model frames are.
        let first = self.made_frames + self.lead_frames as u64;
        self.made_frames += piece[0].len() as u64;
        for (queue, samples) in self.ready.iter_mut().zip(piece) {
            queue.extend(samples);
        }
        while self.gaps.front().is_some_and(|gap| gap.end < first as f64 * self.model_per_host) {
            self.gaps.pop_front();
        }
        if !self.gaps.is_empty() {
            mark(&mut self.ready, piece[0].len(), first, self.model_per_host, &self.gaps);
        }
    }
}

/// Marks the newest `count` frames of the queue that lie in a gap.
fn mark(
    ready: &mut [VecDeque<f32>; 2],
    count: usize,
    first: u64,
    model_per_host: f64,
    gaps: &VecDeque<Range<f64>>,
) {
    let base = ready[0].len() - count;
    for i in 0..count {
        let at = (first + i as u64) as f64 * model_per_host;
        if gaps.iter().any(|gap| gap.contains(&at)) {
            ready[0][base + i] = f32::NAN;
            ready[1][base + i] = f32::NAN;
        }
    }
}
