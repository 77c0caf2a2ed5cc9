//! Integrated loudness: ITU-R BS.1770-4 as `pyloudnorm` 0.2.0 computes it (RBJ K-weighting, 400 ms blocks every 100 ms,
//! gates at −70 LUFS and −10 LU).

use crate::analysis::spectra::PADDING_FRAMES;
use crate::filters::biquad::{StereoBiquad, k_weighting};
use crate::hop::{HOP_FRAMES, sanitize};
use crate::rules::RecipeKind;
use crate::store::{Sides, StemStore, StoreError, for_each_hop};
use crate::units::{db_from_gain, gain_from_db};

/// Offset of BS.1770-4 equation 2.
const OFFSET_LUFS: f64 = -0.691;
/// Quietest block that counts.
pub(crate) const ABSOLUTE_GATE_LUFS: f64 = -70.0;
/// The same at the least for rules that know sessions recorded far too low: 6 dB above the noise of 16 bits.
pub(crate) const QUIET_GATE_LUFS: f64 = -90.0;
/// And against the loudest block of a file, so that a session's level changes nothing: a stem at a usual level has that block
/// at about −15 LUFS.
const GATE_BELOW_LOUDEST_LU: f64 = 55.0;
/// Power of a block that counts against the mean of all: −10 LU.
pub(crate) const RELATIVE_GATE: f64 = 0.1;

/// Loudness of a K-weighted mean square, summed over channels.
pub(crate) fn lufs(mean_square: f64) -> f64 {
    OFFSET_LUFS + 10.0 * mean_square.max(1e-30).log10()
}

/// K-weighting of a stereo signal.
#[derive(Debug, Clone)]
pub(crate) struct KWeighting {
    filters: [StereoBiquad; 2],
}

impl KWeighting {
    pub(crate) fn new(sample_rate_hz: f64) -> Self {
        Self { filters: k_weighting(sample_rate_hz).map(StereoBiquad::new) }
    }

    /// Weighted power of a frame, summed over channels.
    #[inline(always)]
    pub(crate) fn power(&mut self, frame: [f64; 2]) -> f64 {
        let shelved = self.filters[0].tick(frame);
        let weighted = self.filters[1].tick(shelved);
        weighted[0] * weighted[0] + weighted[1] * weighted[1]
    }

    pub(crate) fn flush(&mut self) {
        self.filters.iter_mut().for_each(StereoBiquad::flush);
    }

    pub(crate) fn reset(&mut self) {
        self.filters.iter_mut().for_each(StereoBiquad::reset);
    }
}

/// Meter: integrated loudness of a complete stem or one of its sides, in LUFS; `None` when nothing passes the gates.
/// The published rules measure the file between two stretches of `PADDING_FRAMES` zeros. The rules of kind `Tributary` have an
/// absolute gate that moves with the loudest block, down to −90 LUFS.
///
/// # Errors
/// The store's reason.
pub fn measure(
    stem: &mut dyn StemStore,
    sides: Sides,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<Option<f64>, StoreError> {
    Ok(measure_with_peak(stem, sides, kind, sample_rate_hz)?.0)
}

/// Integrated loudness and largest magnitude, in one pass.
fn measure_with_peak(
    stem: &mut dyn StemStore,
    sides: Sides,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<(Option<f64>, f32), StoreError> {
    let mut meter = FileMeter::new(stem.frames(), kind, sample_rate_hz);
    let mut peak = 0f32;
    for_each_hop(stem, |hop, count| {
        sanitize(hop);
        match sides {
            Sides::Both => {}
            // The other side must not count; on its own, a side is measured as the left one.
            Sides::One(0) => hop.right.fill(0.0),
            Sides::One(_) => {
                hop.left = hop.right;
                hop.right.fill(0.0);
            }
        }
        peak = hop.sides().into_iter().flatten().fold(peak, |peak, sample| peak.max(sample.abs()));
        meter.add(&hop.left[..count], &hop.right[..count]);
    })?;
    Ok((meter.finish(), peak))
}

/// Energy per 100 ms of a file; a block is four of them, the last ones cut short by the end of the file.
struct FileMeter {
    /// The absolute gate moves with the loudest block.
    gate_moves: bool,
    weighting: KWeighting,
    energies: Vec<f64>,
    tenth: f64,
    position: usize,
    /// Zeros that follow the file and let the filters ring, but not for longer than a second.
    ring_frames: usize,
}

impl FileMeter {
    fn new(frames: usize, kind: RecipeKind, sample_rate_hz: f64) -> Self {
        let padding = if kind.is_published() { PADDING_FRAMES } else { 0 };
        let seconds = (frames + 2 * padding) as f64 / sample_rate_hz;
        let count = ((seconds - 0.4) / 0.1).round_ties_even() as isize + 1;
        Self {
            gate_moves: kind == RecipeKind::Tributary,
            weighting: KWeighting::new(sample_rate_hz),
            energies: vec![0.0; (count.max(1) + 3) as usize],
            tenth: 0.1 * sample_rate_hz,
            // Zeros before the file leave the filters at rest.
            position: padding,
            ring_frames: padding.min(sample_rate_hz as usize),
        }
    }

    fn add(&mut self, left: &[f32], right: &[f32]) {
        let mut done = 0;
        while done < left.len() {
            let segment = ((self.position + 1) as f64 / self.tenth).ceil() as usize - 1;
            let boundary = ((segment + 1) as f64 * self.tenth) as usize;
            let count = (boundary.max(self.position + 1) - self.position).min(left.len() - done);
            let frames = left[done..done + count].iter().zip(&right[done..done + count]);
            // Summed sample by sample, so that the result does not depend on how the file is cut into pieces.
            let before = self.energies.get(segment).copied().unwrap_or(0.0);
            let energy = frames.fold(before, |energy, (left, right)| {
                energy + self.weighting.power([f64::from(*left), f64::from(*right)])
            });
            if let Some(sum) = self.energies.get_mut(segment) {
                *sum = energy;
            }
            self.position += count;
            done += count;
        }
    }

    fn finish(mut self) -> Option<f64> {
        const ZEROS: [f32; HOP_FRAMES] = [0.0; HOP_FRAMES];
        let mut left = self.ring_frames;
        while left > 0 {
            let count = left.min(HOP_FRAMES);
            self.add(&ZEROS[..count], &ZEROS[..count]);
            left -= count;
        }
        let block = |four: &[f64]| four.iter().sum::<f64>() / (4.0 * self.tenth);
        let blocks: Vec<f64> = self.energies.windows(4).map(block).collect();
        let loudest_lufs = lufs(blocks.iter().copied().fold(0.0, f64::max));
        let gate_lufs = if self.gate_moves {
            (loudest_lufs - GATE_BELOW_LOUDEST_LU).max(QUIET_GATE_LUFS)
        } else {
            ABSOLUTE_GATE_LUFS
        };
        gated_mean(&blocks, gate_lufs).map(lufs)
    }
}

/// Two-pass gating of BS.1770-4.
fn gated_mean(blocks: &[f64], absolute_gate_lufs: f64) -> Option<f64> {
    let mean = |gate: f64, inclusive: bool| {
        let kept = blocks.iter().filter(|block| **block > gate || (inclusive && **block == gate));
        let (count, sum) = kept.fold((0u32, 0.0), |(count, sum), block| (count + 1, sum + block));
        (count > 0).then(|| sum / f64::from(count))
    };
    let absolute = 10f64.powf((absolute_gate_lufs - OFFSET_LUFS) / 10.0);
    let first = mean(absolute, true)?;
    mean(absolute.max(first * RELATIVE_GATE), false)
}

/// The gain in dB that brings a stem or one of its sides to `target_lufs`, reduced as far as the result would clip; 0 for
/// silence.
///
/// # Errors
/// The store's reason.
pub(crate) fn gain_to_lufs_db(
    stem: &mut dyn StemStore,
    sides: Sides,
    target_lufs: f64,
    kind: RecipeKind,
    sample_rate_hz: f64,
) -> Result<f64, StoreError> {
    let (measured_lufs, peak) = measure_with_peak(stem, sides, kind, sample_rate_hz)?;
    let Some(measured_lufs) = measured_lufs else { return Ok(0.0) };
    Ok(short_of_clipping_db(target_lufs - measured_lufs, peak))
}

/// A gain in dB, reduced as far as what has this peak would be beyond full scale.
pub(crate) fn short_of_clipping_db(gain_db: f64, peak: f32) -> f64 {
    let clip = (1e-6 + f64::from(peak) * gain_from_db(gain_db)).max(1.0);
    gain_db - db_from_gain(clip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::StereoBuffer;

    fn read_lufs(audio: &StereoBuffer, sides: Sides) -> Option<f64> {
        measure(&mut audio.clone(), sides, RecipeKind::Paper, 44_100.0).expect("in memory")
    }

    fn sine(seconds: f64, amplitude: f64) -> Vec<f32> {
        let frames = (44_100.0 * seconds) as usize;
        let step = std::f64::consts::TAU * 997.0 / 44_100.0;
        (0..frames).map(|n| ((n as f64 * step).sin() * amplitude) as f32).collect()
    }

    /// EBU Tech 3341 case 1: a stereo 1 kHz sine at −23 dBFS reads −23 LUFS.
    #[test]
    fn a_reference_tone_reads_its_level() {
        let tone = sine(20.0, 10f64.powf(-23.0 / 20.0));
        let measured = read_lufs(&StereoBuffer::mono(tone.clone()), Sides::Both).expect("loud enough");
        assert!((measured + 23.0).abs() < 0.1, "{measured}");
        let one_side = read_lufs(&StereoBuffer::mono(tone.clone()), Sides::One(1)).expect("loud enough");
        assert!((measured - one_side - 3.01).abs() < 0.01);
    }

    #[test]
    fn pauses_do_not_count() {
        let mut tone = sine(10.0, 0.1);
        let loud = read_lufs(&StereoBuffer::mono(tone.clone()), Sides::One(1)).expect("loud enough");
        tone.resize(tone.len() * 4, 0.0);
        let paused = read_lufs(&StereoBuffer::mono(tone.clone()), Sides::One(1)).expect("loud enough");
        assert!((loud - paused).abs() < 0.15, "{loud} {paused}");
        assert_eq!(read_lufs(&StereoBuffer::silence(50_000), Sides::Both), None);
    }

    #[test]
    fn the_gain_stops_short_of_clipping() {
        let mut clicks = vec![0.0f32; 441_000];
        clicks.iter_mut().step_by(20_000).for_each(|sample| *sample = 0.5);
        let mut clicks = StereoBuffer::mono(clicks);
        let gain_db =
            gain_to_lufs_db(&mut clicks, Sides::Both, 0.0, RecipeKind::Paper, 44_100.0).expect("in memory");
        assert!(gain_db > 0.0 && 0.5 * gain_from_db(gain_db) <= 1.0, "{gain_db}");
    }
}
