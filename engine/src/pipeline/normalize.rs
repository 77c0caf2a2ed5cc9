//! The normalizer within the pipeline: Fx-normalized stems out, aligned with those that go in, because its delay is dropped
//! at the start of every stream. Who listens to the stems, to learn from them, hears them on their way in.

use tributary_dsp::{CHANNELS, Cause, CorrectionSource, FxNormalizer, Recipe, Stem, StemsBlock, Targets};

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
    listener: Option<Box<dyn StemListener>>,
    /// What takes the place of the normalizer's work.
    ready: Option<Ready>,
}

impl Normalize {
    pub(crate) fn new(normalizer: FxNormalizer) -> Self {
        let delay_left_frames = normalizer.latency_samples();
        let timeline = Timeline::default();
        Self { normalizer, timeline, delay_left_frames, listener: None, ready: None }
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
        self.delay_left_frames = self.normalizer.latency_samples() + frames;
        let mut left = frames;
        while left > 0 {
            let count = left.min(BLOCK_FRAMES);
            let mut silence = [[0.0; BLOCK_FRAMES]; CHANNELS];
            self.normalizer.process(&mut StemsBlock {
                channels: silence.each_mut().map(|channel| &mut channel[..count]),
            });
            // It has put out as many frames, all of them silence.
            self.delay_left_frames -= count;
            left -= count;
        }
    }

    /// Normalizes a block in place, of which the first `lead_frames` lie ahead of the stream; returns the frames that are
    /// not part of the delay.
    pub(crate) fn process<'a>(
        &mut self,
        block: &'a mut Block,
        lead_frames: usize,
    ) -> [&'a mut [f32]; CHANNELS] {
        if let Some(listener) = &mut self.listener {
            listener.hear(block.each_ref().map(|channel| &channel[lead_frames..]));
        }
        if let Some(ready) = &mut self.ready {
            ready.fill(block);
            return block.each_mut().map(Vec::as_mut_slice);
        }
        let mut from = 0;
        while from < block[0].len() {
            let (controls, count) = self.timeline.next(block[0].len() - from);
            steer(&mut self.normalizer, &controls);
            let channels = block.each_mut().map(|channel| &mut channel[from..from + count]);
            self.normalizer.process(&mut StemsBlock { channels });
            from += count;
        }
        let dropped = self.delay_left_frames.min(block[0].len());
        self.delay_left_frames -= dropped;
        block.iter_mut().for_each(|channel| flush_denormals(channel));
        block.each_mut().map(|channel| &mut channel[dropped..])
    }
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
