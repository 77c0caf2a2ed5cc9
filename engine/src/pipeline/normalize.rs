//! The normalizer within the pipeline: Fx-normalized stems out, aligned with those that go in, because its delay is dropped
//! at the start of every stream. They come hop by hop, each as soon as it is made: where the window's grid lies on the
//! normalizer's, one gathers while the other does. Who listens to the stems, to learn from them, hears them on their way in.

use tributary_dsp::{CHANNELS, Cause, CorrectionSource, FxNormalizer, HOP_FRAMES, Recipe, Stem, Targets};

use super::intake::{BLOCK_FRAMES, Block, DENORMAL_GUARD_LINEAR};
use super::timeline::Timeline;
use crate::controls::Controls;
use crate::error::EngineError;

/// Hears the stems as they enter the normalizer.
pub(crate) trait StemListener: Send {
    /// Frames of the stream, eight planar slices of equal length.
    fn hear(&mut self, stems: [&[f32]; CHANNELS]);

    /// Another stream begins.
    fn restart(&mut self);
}

/// Stems that were normalized before, as whole files at the model's rate: fills eight planar slices of equal length with the
/// frames from a place in the song on, also behind its end, or says why it cannot.
pub type ReadyStems = dyn FnMut(u64, [&mut [f32]; CHANNELS]) -> Result<(), Cause> + Send;

/// Where ready stems are read.
struct Ready {
    read: Box<ReadyStems>,
    frame: u64,
    failed: Option<Cause>,
}

/// Builds the normalizer a pipeline uses. Also gives the engine its latency before a model exists.
pub(crate) fn build_normalizer(
    recipe: &Recipe,
    targets: &Targets,
    source: CorrectionSource,
    sample_rate_hz: f64,
) -> Result<FxNormalizer, EngineError> {
    FxNormalizer::new(recipe, targets, source, sample_rate_hz, BLOCK_FRAMES)
        .map_err(|e| EngineError::Normalizer { reason: Cause::new(e) })
}

/// See the module documentation.
pub(crate) struct Normalize {
    normalizer: FxNormalizer,
    /// Of amounts, counted in the stream's frames at the model's rate.
    timeline: Timeline,
    /// Frames of the normalizer's delay that still have to be dropped.
    delay_left_frames: usize,
    /// Frames of the stream that have come in and not gone out.
    held_frames: usize,
    listener: Option<Box<dyn StemListener>>,
    /// What takes the place of the normalizer's work.
    ready: Option<Ready>,
}

impl Normalize {
    pub(crate) fn new(normalizer: FxNormalizer) -> Self {
        let delay_left_frames = delay_frames(&normalizer);
        let timeline = Timeline::default();
        Self { normalizer, timeline, delay_left_frames, held_frames: 0, listener: None, ready: None }
    }

    /// Puts these in the place of whatever comes in, in streams that begin with the song; `None` ends that.
    pub(crate) fn take_from(&mut self, stems: Option<Box<ReadyStems>>) {
        self.ready = stems.map(|read| Ready { read, frame: 0, failed: None });
    }

    /// Why ready stems could not be read, once.
    pub(crate) fn take_failure(&mut self) -> Option<Cause> {
        self.ready.as_mut()?.failed.take()
    }

    pub(crate) fn normalizer(&self) -> &FxNormalizer {
        &self.normalizer
    }

    pub(crate) fn normalizer_mut(&mut self) -> &mut FxNormalizer {
        &mut self.normalizer
    }

    pub(crate) fn set_listener(&mut self, listener: Option<Box<dyn StemListener>>) {
        self.listener = listener;
    }

    /// Which amounts are in force, and when.
    pub(crate) fn timeline_mut(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// What was asked last is in force at once: no frame of the stream has come in.
    pub(crate) fn arrive(&mut self) {
        let controls = self.timeline.start();
        steer(&mut self.normalizer, &controls);
        self.normalizer.arrive();
    }

    /// Back to the start of a stream that begins `frames` after a grid point of the song.
    pub(crate) fn start_after(&mut self, frames: usize) {
        if let Some(listener) = &mut self.listener {
            listener.restart();
        }
        self.arrive();
        self.normalizer.reset();
        self.ready.iter_mut().for_each(|ready| ready.frame = 0);
        self.delay_left_frames = delay_frames(&self.normalizer) + frames;
        self.held_frames = 0;
        let mut left = frames;
        while left > 0 {
            let count = left.min(BLOCK_FRAMES);
            let Self { normalizer, delay_left_frames, .. } = self;
            // What it makes of that is silence.
            normalizer
                .pass([&[0.0; BLOCK_FRAMES][..count]; CHANNELS], |made| *delay_left_frames -= made[0].len());
            left -= count;
        }
    }

    /// Normalizes a block, of which the first `lead_frames` lie ahead of the stream. `sink` receives the frames that are
    /// not part of the delay, a hop or what is left of one at a time.
    pub(crate) fn process(
        &mut self,
        block: &mut Block,
        lead_frames: usize,
        mut sink: impl FnMut([&mut [f32]; CHANNELS]),
    ) {
        if let Some(listener) = &mut self.listener {
            listener.hear(block.each_ref().map(|channel| &channel[lead_frames..]));
        }
        if let Some(ready) = &mut self.ready {
            ready.fill(block);
            return sink(block.each_mut().map(Vec::as_mut_slice));
        }
        let Self { normalizer, timeline, delay_left_frames, held_frames, .. } = self;
        *held_frames += block[0].len() - lead_frames;
        let mut from = 0;
        while from < block[0].len() {
            let (controls, count) = timeline.next(block[0].len() - from);
            steer(normalizer, &controls);
            normalizer.pass(block.each_ref().map(|channel| &channel[from..from + count]), |made| {
                let dropped = (*delay_left_frames).min(made[0].len());
                *delay_left_frames -= dropped;
                let mut made = made.map(|channel| &mut channel[dropped..]);
                if made[0].is_empty() {
                    return;
                }
                *held_frames -= made[0].len();
                made.iter_mut().for_each(|channel| flush_denormals(channel));
                sink(made);
            });
            from += count;
        }
    }

    /// Frames of the stream that have come in and not gone out.
    pub(crate) fn held_frames(&self) -> usize {
        self.held_frames
    }

    /// How many frames must come in before `frames` more go out.
    pub(crate) fn frames_until(&self, frames: usize) -> usize {
        if frames == 0 || self.ready.is_some() {
            return frames;
        }
        let hops_frames = (self.delay_left_frames + frames).next_multiple_of(HOP_FRAMES);
        hops_frames - self.normalizer.gathered_frames()
    }
}

/// By how many frames each hop that the normalizer makes lies before the one that has just come in.
fn delay_frames(normalizer: &FxNormalizer) -> usize {
    normalizer.latency_samples() - HOP_FRAMES
}

/// Lets through what is asked for.
fn steer(normalizer: &mut FxNormalizer, controls: &Controls) {
    for (stem, asked) in Stem::ALL.into_iter().zip(&controls.stems) {
        normalizer.steer(stem, &asked.amounts.times(controls.amounts), asked.leave_alone);
        normalizer.lock(stem, asked.lock);
    }
}

impl Ready {
    /// The song's next frames; silence once they could not be read.
    fn fill(&mut self, block: &mut Block) {
        let frames = block[0].len() as u64;
        let read = (self.read)(self.frame, block.each_mut().map(Vec::as_mut_slice));
        self.frame += frames;
        match read {
            Ok(()) => block.iter_mut().for_each(|channel| flush_denormals(channel)),
            Err(reason) => {
                block.iter_mut().for_each(|channel| channel.fill(0.0));
                self.failed = Some(reason);
            }
        }
    }
}

/// Silences what is too small to be heard: decaying filters end in denormals. Whether something is garbage was decided at the
/// intake; a stem that the normalizer has made loud is none.
fn flush_denormals(samples: &mut [f32]) {
    for x in samples {
        // Not even the sign of a zero may depend on how the stream was cut; and NaN, which no normalizer makes, would be
        // taken for a frame that is missing.
        *x = if (DENORMAL_GUARD_LINEAR..=f32::MAX).contains(&x.abs()) { *x } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loud_passes_and_what_is_nothing_does_not() {
        let mut samples = [0.5, -3_000.0, 1e-21, -0.0, f32::NAN, 1e-19];
        flush_denormals(&mut samples);
        assert_eq!(samples.map(f32::to_bits), [0.5, -3_000.0, 0.0, 0.0, 0.0, 1e-19].map(f32::to_bits));
    }
}
