//! Loudness meters along the pipeline: each stem before and after normalization, the normalized sum and the mix ahead of its
//! limiter, and one for the output (`output_meter.rs`), after ITU-R BS.1770-4 through the `ebur128` crate. They run on the worker thread; the editor and the fallback
//! gains read what the worker publishes from here. Integrated loudness uses histograms, so memory does not grow.

use ebur128::{EbuR128, Mode};
use tributary_dsp::CHANNELS;

use super::image::{StemImages, StereoImage};
use super::sum::StemSum;
use crate::silence::{self, Tail};

/// What a meter says when there is nothing to measure, LUFS or dB.
pub const SILENCE_DB: f64 = -120.0;

/// Silence after which a meter rests: the short term (3 s) and the last gating block (0.4 s) are empty then, so further
/// silence changes no figure.
const REST_SECONDS: usize = 4;
/// The short term.
const SHORT_TERM_SECONDS: usize = 3;

/// One stereo meter.
pub(crate) struct Meter {
    inner: EbuR128,
    /// Silence after it is left out.
    tail: Tail,
    /// Frames since the stream started, up to the short term's.
    heard_frames: usize,
    short_term_frames: usize,
}

/// Loudness of one signal. −120 where there is nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loudness {
    /// Over the last 400 ms.
    pub momentary_lufs: f64,
    /// Over the last 3 s; what lies before the start of the stream counts as silence.
    pub short_term_lufs: f64,
    /// Over the last 3 s or since the stream started, whichever is shorter: streams that began at different times compare.
    pub recent_lufs: f64,
    /// Since the stream started, gated.
    pub integrated_lufs: f64,
}

impl Default for Loudness {
    fn default() -> Self {
        Self {
            momentary_lufs: SILENCE_DB,
            short_term_lufs: SILENCE_DB,
            recent_lufs: SILENCE_DB,
            integrated_lufs: SILENCE_DB,
        }
    }
}

/// All meters of a pipeline. Rates are the model's.
pub struct MeterBank {
    before: [Meter; 4],
    after: [Meter; 4],
    images: StemImages,
    rate_hz: f64,
    mixes: Option<MixMeters>,
}

/// Meters of what the stems are mixed to: nobody needs them offline, where the file is measured.
struct MixMeters {
    raw_sum: Meter,
    sum: Meter,
    mix: Meter,
    raw: StemSum,
}

impl MeterBank {
    /// Meters of the stems and the mixes for streams at the given rate; `None` when the meter crate refuses the rate.
    pub fn new(sample_rate_hz: u32) -> Option<Self> {
        let short = || Meter::new(sample_rate_hz, Mode::S);
        let mixes = MixMeters { raw_sum: short()?, sum: short()?, mix: short()?, raw: StemSum::default() };
        Some(Self { mixes: Some(mixes), ..Self::of_stems(sample_rate_hz)? })
    }

    /// Meters of the stems only.
    pub fn of_stems(sample_rate_hz: u32) -> Option<Self> {
        let plain = || Meter::new(sample_rate_hz, Mode::I | Mode::HISTOGRAM);
        let four = || Some([plain()?, plain()?, plain()?, plain()?]);
        let (images, rate_hz) = (StemImages::default(), f64::from(sample_rate_hz));
        Some(Self { before: four()?, after: four()?, images, rate_hz, mixes: None })
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Meter> {
        let mixes = self.mixes.iter_mut().flat_map(|m| [&mut m.raw_sum, &mut m.sum, &mut m.mix]);
        self.before.iter_mut().chain(&mut self.after).chain(mixes)
    }

    /// Back to the start of a stream.
    pub fn reset(&mut self) {
        self.all_mut().for_each(Meter::reset);
        self.images.reset();
    }

    /// Whether silence has emptied every meter: until the next sound no figure changes.
    pub fn are_resting(&self) -> bool {
        let mixes = self.mixes.iter().flat_map(|m| [&m.raw_sum, &m.sum, &m.mix]);
        let mut all = self.before.iter().chain(&self.after).chain(mixes);
        all.all(Meter::is_resting)
    }

    pub(crate) fn add_stems_before(&mut self, stems: [&[f32]; CHANNELS]) {
        for (meter, pair) in self.before.iter_mut().zip(stems.chunks_exact(2)) {
            meter.add([pair[0], pair[1]]);
        }
        let Some(MixMeters { raw_sum, raw, .. }) = &mut self.mixes else { return };
        raw_sum.add(raw.of(stems));
    }

    pub(crate) fn add_stems_after(&mut self, stems: [&[f32]; CHANNELS], sum: [&[f32]; 2]) {
        for (meter, pair) in self.after.iter_mut().zip(stems.chunks_exact(2)) {
            meter.add([pair[0], pair[1]]);
        }
        self.images.add(stems, self.rate_hz);
        if let Some(mixes) = &mut self.mixes {
            mixes.sum.add(sum);
        }
    }

    pub(crate) fn add_mix(&mut self, mix: [&[f32]; 2]) {
        if let Some(mixes) = &mut self.mixes {
            mixes.mix.add(mix);
        }
    }

    /// Where the normalized stems sit; nowhere while that is not [watched](Self::watch_images).
    pub(crate) fn images(&self) -> [Option<StereoImage>; 4] {
        self.images.images()
    }

    /// Whether somebody looks at where the stems sit.
    pub(crate) fn watch_images(&mut self, watched: bool) {
        self.images.watch(watched);
    }

    /// Each stem as it came in, in stem order.
    pub fn before(&self) -> [Loudness; 4] {
        std::array::from_fn(|stem| self.before[stem].loudness())
    }

    /// Each stem after normalization, in stem order.
    pub fn after(&self) -> [Loudness; 4] {
        std::array::from_fn(|stem| self.after[stem].loudness())
    }

    /// The plain sum of the stems as they came in (no integrated value).
    pub fn raw_sum(&self) -> Loudness {
        self.mixes.as_ref().map(|mixes| mixes.raw_sum.loudness()).unwrap_or_default()
    }

    /// The plain sum of the normalized stems (no integrated value).
    pub fn sum(&self) -> Loudness {
        self.mixes.as_ref().map(|mixes| mixes.sum.loudness()).unwrap_or_default()
    }

    /// The mix as the model made it (no integrated value).
    pub fn mix(&self) -> Loudness {
        self.mixes.as_ref().map(|mixes| mixes.mix.loudness()).unwrap_or_default()
    }
}

impl Meter {
    /// One that measures everything; `None` when the meter crate refuses the rate.
    pub(crate) fn of_output(sample_rate_hz: u32) -> Option<Self> {
        Self::new(sample_rate_hz, Mode::I | Mode::S | Mode::HISTOGRAM | Mode::TRUE_PEAK)
    }

    /// Back to the state after construction.
    pub(crate) fn reset(&mut self) {
        self.inner.reset();
        self.tail.restart();
        self.heard_frames = 0;
    }

    /// Whether silence has emptied it: until the next sound no figure changes.
    pub(crate) fn is_resting(&self) -> bool {
        self.tail.is_over()
    }

    /// The largest true peak since the start, dBTP; of a meter that measures it.
    pub(crate) fn true_peak_db(&self) -> f64 {
        let peak = |channel| self.inner.true_peak(channel).unwrap_or(0.0);
        (20.0 * peak(0).max(peak(1)).log10()).max(SILENCE_DB)
    }

    fn new(sample_rate_hz: u32, mode: Mode) -> Option<Self> {
        let frames = |seconds: usize| seconds * sample_rate_hz as usize;
        EbuR128::new(2, sample_rate_hz, mode).ok().map(|inner| Self {
            inner,
            tail: Tail::new(frames(REST_SECONDS)),
            heard_frames: 0,
            short_term_frames: frames(SHORT_TERM_SECONDS),
        })
    }

    pub(crate) fn add(&mut self, frames: [&[f32]; 2]) {
        let length = frames[0].len();
        self.heard_frames = (self.heard_frames + length).min(self.short_term_frames);
        let silent = silence::leading_frames(frames);
        let heard = silent.min(self.tail.left());
        let frames = frames.map(|side| &side[silent - heard..]);
        if silent < length {
            self.tail.restart();
        }
        self.tail.pass(if silent < length { silence::trailing_frames(frames) } else { heard });
        if frames[0].is_empty() {
            return;
        }
        // The only error is slices of unequal length, which the pipeline does not make.
        let _ = self.inner.add_frames_planar_f32(&frames);
    }

    pub(crate) fn loudness(&self) -> Loudness {
        let audible = |value: Result<f64, ebur128::Error>| {
            value.ok().filter(|lufs| lufs.is_finite()).map_or(SILENCE_DB, |lufs| lufs.max(SILENCE_DB))
        };
        let short_term_lufs = audible(self.inner.loudness_shortterm());
        let heard = self.heard_frames.max(1) as f64 / self.short_term_frames as f64;
        let recent_lufs =
            if short_term_lufs > SILENCE_DB { short_term_lufs - 10.0 * heard.log10() } else { SILENCE_DB };
        Loudness {
            momentary_lufs: audible(self.inner.loudness_momentary()),
            short_term_lufs,
            recent_lufs,
            integrated_lufs: audible(self.inner.loudness_global()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A song, a pause of silence or of a murmur nobody hears, a song.
    fn read(murmur: f32, pieces: &[usize]) -> (Loudness, f64, bool) {
        let mut meter = Meter::new(44_100, Mode::I | Mode::S | Mode::HISTOGRAM | Mode::TRUE_PEAK).unwrap();
        let sine = |n: usize| 0.2 * (n as f32 * 0.1).sin();
        // The pause is a whole number of gating steps (100 ms), so that both meters cut the second song alike.
        let signal: Vec<f32> = (0..40 * 44_100)
            .map(|n| if (441_000..35 * 44_100).contains(&n) { murmur } else { sine(n) })
            .collect();
        let (mut at, mut rested) = (0, false);
        for piece in pieces.iter().cycle() {
            let to = signal.len().min(at + piece);
            meter.add([&signal[at..to], &signal[at..to]]);
            rested |= meter.is_resting();
            at = to;
            if at == signal.len() {
                break;
            }
        }
        (meter.loudness(), meter.inner.true_peak(0).unwrap(), rested)
    }

    #[test]
    fn a_rest_changes_no_figure() {
        let (resting, peak, rested) = read(0.0, &[1024]);
        let (awake, awake_peak, never) = read(1e-30, &[1024]);
        assert!(rested && !never);
        assert!((resting.integrated_lufs - awake.integrated_lufs).abs() < 1e-9, "{resting:?} {awake:?}");
        assert!((resting.short_term_lufs - awake.short_term_lufs).abs() < 1e-9, "{resting:?} {awake:?}");
        assert_eq!(peak, awake_peak);
        assert_eq!(read(0.0, &[1, 999, 64, 5_000]), (resting, peak, true), "pieces do not matter");
    }
}
