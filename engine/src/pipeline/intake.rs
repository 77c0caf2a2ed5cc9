//! Where stems come in: cleaned, brought to the model's rate and cut into blocks. What is garbage, what is silence and what
//! comes before the song is decided here, once; every stage behind trusts its input, and states by a [`Tail`](crate::silence::Tail)
//! how long it goes on when silence has come.

use tributary_dsp::CHANNELS;

use super::anchor::Anchor;
use crate::error::EngineError;
use crate::resample::Resampler;
use crate::silence;

/// Frames of a block at the model's rate, at most: what the stages behind handle at a time.
pub(crate) const BLOCK_FRAMES: usize = 1024;
/// Frames of a push that are handled before due hops run: bounds the memory a long push takes.
pub(crate) const PUSH_FRAMES: usize = 4096;
static SILENCE: [f32; PUSH_FRAMES] = [0.0; PUSH_FRAMES];
/// Samples beyond this (+60 dB full scale) are garbage, not audio. They become silence, like what is not a number:
/// clamped, a burst of them would be the loudest material that the running estimates ever hear.
const LIMIT_LINEAR: f32 = 1000.0;
/// Values below this are set to zero: decaying filters otherwise end in denormals, which cost a hundredfold.
pub(super) const DENORMAL_GUARD_LINEAR: f32 = 1e-20;

/// Planar stems at the model's rate on their way through the pipeline.
pub(crate) type Block = [Vec<f32>; CHANNELS];

/// Stems at the host's rate to blocks at the model's, in order, from pieces of any length.
pub(crate) struct Intake {
    to_model: Resampler<CHANNELS>,
    gathered: Gathered,
    host_rate_hz: f64,
    model_rate_hz: f64,
    pushed_frames: u64,
    /// Host frames ahead of the stream.
    lead_frames: u64,
    /// Host frames before the song that have not been taken yet; `None` once a sound or the song has come.
    before_song_frames: Option<usize>,
    cleaned: Block,
}

/// Resampled frames on their way into a block. Apart from [`Intake`] so that the resampler can hand frames to it while both
/// are borrowed.
struct Gathered {
    /// Resampled frames that have come, and how many of them precede the song and are silence.
    resampled_frames: u64,
    before_song_frames: u64,
    /// Resampled frames ahead of the stream that are still to come: nobody meters or captures them.
    lead_left_frames: usize,
    block: Block,
}

impl Intake {
    pub(crate) fn new(host_rate_hz: f64, model_rate_hz: f64) -> Result<Self, EngineError> {
        let capacity = |frames| move |_| Vec::with_capacity(frames);
        Ok(Self {
            to_model: Resampler::new(host_rate_hz, model_rate_hz)?,
            gathered: Gathered {
                resampled_frames: 0,
                before_song_frames: 0,
                lead_left_frames: 0,
                block: std::array::from_fn(capacity(BLOCK_FRAMES)),
            },
            host_rate_hz,
            model_rate_hz,
            pushed_frames: 0,
            lead_frames: 0,
            before_song_frames: None,
            cleaned: std::array::from_fn(capacity(PUSH_FRAMES)),
        })
    }

    /// Host frames taken since the stream started.
    pub(crate) fn pushed_frames(&self) -> u64 {
        self.pushed_frames
    }

    /// Which frame at the model's rate the next host frame falls on, counted from the first that [`Self::take`] hands out.
    pub(crate) fn next_frame(&self) -> u64 {
        let host_frames = (self.lead_frames + self.pushed_frames) as f64;
        (host_frames * self.model_rate_hz / self.host_rate_hz).round() as u64
    }

    /// Back to the start of a stream with this anchor; `sink` receives the silence ahead of it, as with [`Self::take`].
    pub(crate) fn start_at(&mut self, anchor: Anchor, mut sink: impl FnMut(&mut Block, usize)) {
        self.to_model.reset();
        let model_frames = |host_frames: usize| host_frames as f64 * self.model_rate_hz / self.host_rate_hz;
        self.gathered.resampled_frames = 0;
        self.gathered.before_song_frames = model_frames(anchor.before_song_frames).ceil() as u64;
        self.gathered.lead_left_frames = model_frames(anchor.host_frames).ceil() as usize;
        self.before_song_frames = Some(anchor.before_song_frames);
        let mut left = anchor.host_frames;
        while left > 0 {
            let count = left.min(PUSH_FRAMES);
            self.take([&SILENCE[..count]; CHANNELS], &mut sink);
            left -= count;
        }
        self.pushed_frames = 0;
        self.lead_frames = anchor.host_frames as u64;
    }

    /// Takes stems, eight planar slices of equal length. `sink` receives blocks, and how many frames of each lie ahead of the
    /// stream's first.
    pub(crate) fn take(&mut self, stems: [&[f32]; CHANNELS], mut sink: impl FnMut(&mut Block, usize)) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + PUSH_FRAMES);
            self.take_piece(stems.map(|channel| &channel[from..to]), &mut sink);
            from = to;
        }
        self.gathered.flush(&mut sink);
        self.pushed_frames += frames as u64;
    }

    /// As [`Self::take`], of at most [`PUSH_FRAMES`] interleaved frames in two parts, as a ring holds them.
    pub(crate) fn take_interleaved(
        &mut self,
        [head, tail]: [&[f32]; 2],
        mut sink: impl FnMut(&mut Block, usize),
    ) {
        let frames = (head.len() + tail.len()) / CHANNELS;
        let silent = silence::is_silent(head) && silence::is_silent(tail);
        if !silent {
            self.cleaned.iter_mut().for_each(Vec::clear);
            for (i, &sample) in head.iter().chain(tail).enumerate() {
                self.cleaned[i % CHANNELS].push(sample);
            }
            self.cleaned.iter_mut().for_each(|channel| clean(channel));
        }
        self.pass_on(frames, silent, &mut sink);
        self.gathered.flush(&mut sink);
        self.pushed_frames += frames as u64;
    }

    fn take_piece(&mut self, piece: [&[f32]; CHANNELS], sink: &mut impl FnMut(&mut Block, usize)) {
        let silent = piece.iter().all(|channel| silence::is_silent(channel));
        if !silent {
            for (cleaned, channel) in self.cleaned.iter_mut().zip(piece) {
                cleaned.clear();
                cleaned.extend_from_slice(channel);
                clean(cleaned);
            }
        }
        self.pass_on(piece[0].len(), silent, sink);
    }

    /// Takes frames of silence, or else what was cleaned, to the model's rate.
    fn pass_on(&mut self, frames: usize, silent: bool, sink: &mut impl FnMut(&mut Block, usize)) {
        let clean: [&[f32]; CHANNELS] =
            if silent { [&SILENCE[..frames]; CHANNELS] } else { self.cleaned.each_ref().map(Vec::as_slice) };
        if let Some(left) = self.before_song_frames {
            let silent = silence::leading_frames(clean);
            if silent < left.min(frames) {
                // Sound before the song: it is heard like any other.
                self.gathered.before_song_frames = 0;
            }
            self.before_song_frames = (silent == frames && left > silent).then(|| left - silent);
        }
        let gathered = &mut self.gathered;
        self.to_model.process(clean, |piece| gathered.take(piece, sink));
    }

    /// The stream ends after so many host frames.
    pub(crate) fn end_at(&mut self, frames: u64) {
        self.pushed_frames = frames;
    }
}

impl Gathered {
    /// Takes resampled stems in pieces of any length, which are gathered: [`Self::flush`] ends that.
    fn take(&mut self, stems: [&[f32]; CHANNELS], sink: &mut impl FnMut(&mut Block, usize)) {
        let frames = stems[0].len();
        let mut from = 0;
        while from < frames {
            let to = frames.min(from + BLOCK_FRAMES - self.block[0].len());
            for (block, channel) in self.block.iter_mut().zip(stems) {
                let silent = self.before_song_frames.saturating_sub(self.resampled_frames);
                let silent = silent.min((to - from) as u64);
                block.resize(block.len() + silent as usize, 0.0);
                block.extend_from_slice(&channel[from + silent as usize..to]);
            }
            self.resampled_frames += (to - from) as u64;
            if self.block[0].len() == BLOCK_FRAMES {
                self.flush(sink);
            }
            from = to;
        }
    }

    /// Passes on what was gathered.
    fn flush(&mut self, sink: &mut impl FnMut(&mut Block, usize)) {
        if self.block[0].is_empty() {
            return;
        }
        let lead_frames = self.lead_left_frames.min(self.block[0].len());
        self.lead_left_frames -= lead_frames;
        sink(&mut self.block, lead_frames);
        self.block.iter_mut().for_each(Vec::clear);
    }
}

/// Silences garbage and denormals.
fn clean(samples: &mut [f32]) {
    if silence::is_silent(samples) {
        // Not even the sign of a zero may depend on how the stream was cut.
        return samples.fill(0.0);
    }
    for x in samples {
        // False for NaN, which ends as 0.
        *x = if (DENORMAL_GUARD_LINEAR..=LIMIT_LINEAR).contains(&x.abs()) { *x } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::Noise;

    /// Noise with silence, garbage and denormals in it, planar.
    fn stems(frames: usize) -> Block {
        let mut noise = Noise(7);
        let mut sample = |n: usize| match noise.below(50) {
            _ if (2_000..5_000).contains(&n) => 0.0,
            0 => f32::NAN,
            1 => -f32::INFINITY,
            2 => 1_000.5,
            3 => 1e-30,
            4 => -0.0,
            _ => noise.sample(),
        };
        std::array::from_fn(|_| (0..frames).map(&mut sample).collect())
    }

    fn taken(rate_hz: f64, take: impl FnOnce(&mut Intake, &mut dyn FnMut(&mut Block, usize))) -> Block {
        let mut intake = Intake::new(rate_hz, 44_100.0).unwrap();
        let mut out: Block = Default::default();
        take(&mut intake, &mut |block, _| {
            out.iter_mut().zip(block.iter()).for_each(|(out, channel)| out.extend_from_slice(channel));
        });
        out
    }

    #[test]
    fn garbage_and_silence_are_the_same_interleaved_and_planar() {
        let stems = stems(9_000);
        let interleaved: Vec<f32> =
            (0..9_000).flat_map(|n| stems.each_ref().map(|channel| channel[n])).collect();
        for rate_hz in [44_100.0, 48_000.0] {
            let planar = taken(rate_hz, |intake, sink| intake.take(stems.each_ref().map(|c| &c[..]), sink));
            let pieces = taken(rate_hz, |intake, mut sink| {
                for (number, piece) in interleaved.chunks(777 * CHANNELS).enumerate() {
                    // A ring ends anywhere.
                    let (head, tail) = piece.split_at((number * 1_001) % piece.len());
                    intake.take_interleaved([head, tail], &mut sink);
                }
                assert_eq!(intake.pushed_frames(), 9_000);
            });
            let bits = |block: &Block| {
                block.each_ref().map(|channel| channel.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            };
            assert!(bits(&planar) == bits(&pieces), "{rate_hz} Hz");
            assert!(planar.iter().flatten().all(|x| x.abs() < 2.0), "garbage is silence");
            assert!(planar[0].iter().any(|x| *x != 0.0));
        }
    }
}
