//! Loudness and peaks as a listener's own meter shows them: ITU-R BS.1770-4, EBU R 128, Tech 3341 and 3342, and the two
//! peak-to-loudness ratios.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};
use tributary_dsp::StereoBuffer;

use super::catalog::Figure;

/// Time between readings of momentary loudness. Tech 3341 asks for 100 ms at most; its cases 13 and 14 start their
/// 400 ms tones on a grid of 20 ms, and only as fine a grid reads them within 0.1 LU.
const MOMENTARY_STEP_MS: u32 = 20;
/// Steps within a momentary window of 400 ms.
const STEPS_PER_MOMENT: usize = 20;
/// Momentary readings per short-term reading: every 100 ms.
const STEPS_PER_SHORT_TERM: usize = 5;
/// Momentary readings within a short-term window of 3 s.
const STEPS_PER_WINDOW: usize = 150;
/// Loudness of unit power (BS.1770-4, equation 2).
const OFFSET_LUFS: f64 = -0.691;
/// A moment this far below the integrated loudness is a rest, not part of the peak-to-loudness ratio, in LU.
const PSR_GATE_LU: f64 = 20.0;

/// What the meters read of one mix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    /// Integrated loudness; none for silence.
    pub integrated_lufs: Option<f64>,
    /// The higher channel's true peak; none for digital silence.
    pub true_peak_dbtp: Option<f64>,
    /// Loudness range (Tech 3342).
    pub range_lu: Option<f64>,
    /// Median over time of the true peak within 3 s over the short-term loudness of the same 3 s.
    pub psr_lu: Option<f64>,
    /// Highest short-term loudness.
    pub short_term_max_lufs: Option<f64>,
    /// Highest momentary loudness.
    pub momentary_max_lufs: Option<f64>,
    /// Short-term loudness every 100 ms; the first when 3 s have passed.
    pub short_term_lufs: Vec<f64>,
}

impl Levels {
    /// Measures a whole mix.
    ///
    /// # Errors
    /// The rate is out of the meter's range.
    pub fn of(audio: &StereoBuffer, sample_rate_hz: u32) -> Result<Self> {
        let mode = Mode::I | Mode::M | Mode::S | Mode::LRA | Mode::TRUE_PEAK;
        let mut meter = EbuR128::new(2, sample_rate_hz, mode)
            .with_context(|| format!("cannot measure loudness at {sample_rate_hz} Hz"))?;
        let step = (sample_rate_hz * MOMENTARY_STEP_MS / 1000).max(1) as usize;
        let mut readings = Readings::default();
        for (left, right) in audio.left.chunks(step).zip(audio.right.chunks(step)) {
            meter.add_frames_planar_f32(&[left, right])?;
            readings.take(&meter)?;
        }
        let integrated_lufs = finite(meter.loudness_global()?);
        let peak = meter.true_peak(0)?.max(meter.true_peak(1)?);
        Ok(Self {
            integrated_lufs,
            true_peak_dbtp: finite(db(peak)),
            range_lu: finite(meter.loudness_range()?),
            psr_lu: readings.psr(integrated_lufs),
            short_term_max_lufs: highest(&readings.short_term_lufs),
            momentary_max_lufs: finite(readings.momentary_max_lufs),
            short_term_lufs: readings.short_term_lufs,
        })
    }

    /// The same mix played `gain_db` louder.
    pub fn played(mut self, gain_db: f64) -> Self {
        let levels = [
            &mut self.integrated_lufs,
            &mut self.true_peak_dbtp,
            &mut self.short_term_max_lufs,
            &mut self.momentary_max_lufs,
        ];
        levels.into_iter().flatten().for_each(|level| *level += gain_db);
        self.short_term_lufs.iter_mut().for_each(|level| *level += gain_db);
        self
    }

    /// True peak over integrated loudness.
    pub fn plr_lu(&self) -> Option<f64> {
        self.true_peak_dbtp.zip(self.integrated_lufs).map(|(peak, loudness)| peak - loudness)
    }

    /// The figures of the loudness family.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        vec![
            Figure::values("integrated_lufs", self.integrated_lufs, mix.integrated_lufs),
            Figure::values("true_peak_dbtp", self.true_peak_dbtp, mix.true_peak_dbtp),
            Figure::values("range_lu", self.range_lu, mix.range_lu),
            Figure::values("plr_lu", self.plr_lu(), mix.plr_lu()),
            Figure::values("psr_lu", self.psr_lu, mix.psr_lu),
            Figure::values("short_term_max_lufs", self.short_term_max_lufs, mix.short_term_max_lufs),
            Figure::values("momentary_max_lufs", self.momentary_max_lufs, mix.momentary_max_lufs),
        ]
    }
}

/// Integrated loudness alone: what gains and balances need.
///
/// # Errors
/// The rate is out of the meter's range.
pub fn integrated_lufs(audio: &StereoBuffer, sample_rate_hz: u32) -> Result<Option<f64>> {
    let mut meter = EbuR128::new(2, sample_rate_hz, Mode::I)
        .with_context(|| format!("cannot measure loudness at {sample_rate_hz} Hz"))?;
    meter.add_frames_planar_f32(&[&audio.left, &audio.right])?;
    Ok(finite(meter.loudness_global()?))
}

/// Readings while a mix runs through the meter.
struct Readings {
    steps: usize,
    momentary_max_lufs: f64,
    short_term_lufs: Vec<f64>,
    /// Peak over short-term loudness and the latter, per short-term reading.
    ratios: Vec<(f64, f64)>,
    /// Of each step within the last 3 s: the weighted signal's power, and its true peak.
    recent: VecDeque<(f64, f64)>,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            steps: 0,
            momentary_max_lufs: f64::NEG_INFINITY,
            short_term_lufs: Vec::new(),
            ratios: Vec::new(),
            recent: VecDeque::new(),
        }
    }
}

impl Readings {
    fn take(&mut self, meter: &EbuR128) -> Result<()> {
        self.steps += 1;
        if self.recent.len() == STEPS_PER_WINDOW {
            self.recent.pop_front();
        }
        let peak = meter.prev_true_peak(0)?.max(meter.prev_true_peak(1)?);
        self.recent.push_back((power(meter.loudness_window(MOMENTARY_STEP_MS)?), peak));
        self.momentary_max_lufs = self.momentary_max_lufs.max(self.loudness(STEPS_PER_MOMENT));
        if self.steps.is_multiple_of(STEPS_PER_SHORT_TERM) && self.steps >= STEPS_PER_WINDOW {
            let loudness = self.loudness(STEPS_PER_WINDOW);
            self.short_term_lufs.push(loudness);
            let peak = self.recent.iter().fold(0.0_f64, |highest, &(_, peak)| highest.max(peak));
            self.ratios.push((db(peak) - loudness, loudness));
        }
        Ok(())
    }

    /// Loudness of the newest steps. Their powers are added up here: the meter would add up 3 s of samples for every
    /// reading.
    fn loudness(&self, steps: usize) -> f64 {
        let power: f64 = self.recent.iter().rev().take(steps).map(|&(power, _)| power).sum();
        OFFSET_LUFS + 10.0 * (power / steps as f64).log10()
    }

    fn psr(&self, integrated_lufs: Option<f64>) -> Option<f64> {
        let gate = integrated_lufs? - PSR_GATE_LU;
        let mut ratios: Vec<f64> =
            self.ratios.iter().filter(|&&(_, loudness)| loudness > gate).map(|&(ratio, _)| ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let middle = ratios.len() / 2;
        match ratios.len() {
            0 => None,
            count if count % 2 == 1 => Some(ratios[middle]),
            _ => Some((ratios[middle - 1] + ratios[middle]) / 2.0),
        }
    }
}

/// The weighted power behind a loudness.
fn power(loudness_lufs: f64) -> f64 {
    10f64.powf((loudness_lufs - OFFSET_LUFS) / 10.0)
}

fn db(gain: f64) -> f64 {
    20.0 * gain.log10()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn highest(levels: &[f64]) -> Option<f64> {
    levels.iter().copied().filter(|level| level.is_finite()).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_louder_mix_has_the_same_ratios() {
        let sine: Vec<f32> = (0..4 * 44_100)
            .map(|n| 0.25 * (std::f64::consts::TAU * 997.0 * f64::from(n) / 44_100.0).sin() as f32)
            .collect();
        let levels = Levels::of(&StereoBuffer::mono(sine), 44_100).expect("measures");
        assert!((levels.plr_lu().expect("audible")).abs() < 0.1, "a sine in both channels peaks at its LUFS");
        assert!((levels.psr_lu.expect("audible")).abs() < 0.1);
        assert_eq!(levels.short_term_lufs.len(), 11);
        let louder = levels.clone().played(6.0);
        assert!((louder.plr_lu().expect("audible") - levels.plr_lu().expect("audible")).abs() < 1e-9);
        let gained = louder.integrated_lufs.expect("audible") - levels.integrated_lufs.expect("audible");
        assert!((gained - 6.0).abs() < 1e-9);
    }

    #[test]
    fn silence_has_no_level() {
        let levels = Levels::of(&StereoBuffer::silence(200_000), 48_000).expect("measures");
        assert_eq!((levels.integrated_lufs, levels.true_peak_dbtp, levels.psr_lu), (None, None, None));
    }
}
