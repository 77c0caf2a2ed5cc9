//! Long-term tone: power of middle and side in third octaves over the whole song, and how far two mixes lie apart in it.

use std::ops::Range;

use tributary_dsp::StereoBuffer;

use super::catalog::Figure;
use super::frames::{Grid, Window, mid_side_power};

/// Long frames: a third octave at 50 Hz must hold several bins.
const GRID: Grid = Grid { length: 16_384, hop: 8_192, window: Window::Hann };
/// Third octaves from 50 Hz to 16 kHz, as powers of ten over 1 kHz (IEC 61260-1, base ten).
const FIRST_BAND: i32 = -13;
/// Number of bands.
pub const BANDS: usize = 26;
/// A band this far below the human mix's strongest is inaudible; lower levels count as this one, in dB.
const FLOOR_DB: f64 = -60.0;
/// Side this far below mid sounds as mono; lower ratios count as this one, in dB. A level difference between the ears
/// is first heard at half a decibel, which is a side of −31 dB.
pub const SIDE_FLOOR_DB: f64 = -40.0;
/// A middle this far below the side is lost; higher ratios count as this one, in dB.
const SIDE_CEILING_DB: f64 = 20.0;
/// Regions of the partial figures: below 250 Hz, up to 4 kHz, above.
pub const REGIONS: usize = 3;
/// The first third octave of the middle region, at 250 Hz, and of the high one, at 5 kHz.
const FIRST_MIDDLE: usize = 7;
const FIRST_HIGH: usize = 20;

/// Powers of one mix, averaged over the song, per third octave.
#[derive(Debug, Clone, PartialEq)]
pub struct Tone {
    mid: [f64; BANDS],
    side: [f64; BANDS],
}

/// Center frequency of a third octave in Hz.
pub fn center_hz(band: usize) -> f64 {
    1000.0 * 10f64.powf(f64::from(FIRST_BAND + band as i32) / 10.0)
}

/// The third octave a frequency belongs to.
pub fn band_at(hz: f64) -> Option<usize> {
    if hz <= 0.0 {
        return None;
    }
    let band = (10.0 * (hz / 1000.0).log10()).round() as i32 - FIRST_BAND;
    usize::try_from(band).ok().filter(|&band| band < BANDS)
}

/// The third octaves of a region.
pub fn region(index: usize) -> Range<usize> {
    [0..FIRST_MIDDLE, FIRST_MIDDLE..FIRST_HIGH, FIRST_HIGH..BANDS][index].clone()
}

impl Tone {
    /// Measures a mix.
    pub fn of(audio: &StereoBuffer) -> Self {
        let mut bins = vec![(0.0, 0.0); GRID.bins()];
        GRID.each([&audio.left, &audio.right], |_, [left, right]| {
            for ((bin, &left), &right) in bins.iter_mut().zip(left).zip(right) {
                let (mid, side) = mid_side_power(left, right);
                bin.0 += mid;
                bin.1 += side;
            }
        });
        let mut tone = Self { mid: [0.0; BANDS], side: [0.0; BANDS] };
        // Per frame and per unit of the window's power, so that the level does not depend on the length.
        let scale = 1.0 / (GRID.count(audio.frames()).max(1) as f64 * GRID.length as f64);
        for (bin, &(mid, side)) in bins.iter().enumerate() {
            if let Some(band) = band_at(GRID.hz(bin)) {
                tone.mid[band] += mid * scale;
                tone.side[band] += side * scale;
            }
        }
        tone
    }

    /// Level of the middle per band in dB, not below the floor under `loudest`.
    fn mid_db(&self, loudest: f64) -> [f64; BANDS] {
        let floor = loudest * 10f64.powf(FLOOR_DB / 10.0);
        self.mid.map(|power| 10.0 * power.max(floor).max(f64::MIN_POSITIVE).log10())
    }

    /// Side over mid per band in dB, within the audible range.
    fn side_db(&self) -> [f64; BANDS] {
        std::array::from_fn(|band| ratio_db(self.side[band], self.mid[band]))
    }

    fn loudest(&self) -> f64 {
        self.mid.iter().copied().fold(0.0, f64::max)
    }

    /// The figures; `self` is the human mix.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        let loudest = self.loudest();
        let (reference_mid, mix_mid) = (self.mid_db(loudest), mix.mid_db(loudest));
        let (reference_side, mix_side) = (self.side_db(), mix.side_db());
        // Where the human mix has nothing, a ratio of nothing to nothing would be judged.
        let floor = loudest * 10f64.powf(FLOOR_DB / 10.0);
        let audible = |band: usize| self.mid[band] + self.side[band] > floor;
        let mean = |a: &[f64; BANDS], b: &[f64; BANDS], keep: &dyn Fn(usize) -> bool| {
            let kept: Vec<f64> =
                (0..BANDS).filter(|&band| keep(band)).map(|band| (a[band] - b[band]).abs()).collect();
            (!kept.is_empty()).then(|| kept.iter().sum::<f64>() / kept.len() as f64)
        };
        let [low, middle, high] = [0, 1, 2].map(|index| move |band: usize| region(index).contains(&band));
        let tone = |keep: &dyn Fn(usize) -> bool| mean(&mix_mid, &reference_mid, keep);
        let side = |keep: &dyn Fn(usize) -> bool| {
            mean(&mix_side, &reference_side, &|band| audible(band) && keep(band))
        };
        vec![
            Figure::maybe("tone_db", tone(&|_| true)),
            Figure::maybe("side_db", side(&|_| true)),
            Figure::maybe("tone_low_db", tone(&low)),
            Figure::maybe("tone_middle_db", tone(&middle)),
            Figure::maybe("tone_high_db", tone(&high)),
            Figure::maybe("side_low_db", side(&low)),
            Figure::maybe("side_middle_db", side(&middle)),
            Figure::maybe("side_high_db", side(&high)),
            Figure::value("tilt_db_per_octave", tilt(&reference_mid), tilt(&mix_mid)),
        ]
    }

    /// For pictures: `[Hz, dB]` of the middle.
    pub fn mid_curve(&self) -> Vec<[f64; 2]> {
        curve(self.mid_db(self.loudest()))
    }

    /// For pictures: `[Hz, dB]` of side over mid.
    pub fn side_curve(&self) -> Vec<[f64; 2]> {
        curve(self.side_db())
    }
}

fn curve(levels_db: [f64; BANDS]) -> Vec<[f64; 2]> {
    levels_db.into_iter().enumerate().map(|(band, level_db)| [center_hz(band), level_db]).collect()
}

/// A power ratio in dB within the range that is heard.
pub fn ratio_db(side: f64, mid: f64) -> f64 {
    let ratio = 10.0 * (side / mid.max(f64::MIN_POSITIVE)).log10();
    if ratio.is_nan() { SIDE_FLOOR_DB } else { ratio.clamp(SIDE_FLOOR_DB, SIDE_CEILING_DB) }
}

/// Slope of the least-squares line through the band levels over octaves.
fn tilt(levels_db: &[f64; BANDS]) -> f64 {
    let octave = |band: usize| center_hz(band).log2();
    let mean_octave = (0..BANDS).map(octave).sum::<f64>() / BANDS as f64;
    let mean_db = levels_db.iter().sum::<f64>() / BANDS as f64;
    let deviation = |band: usize| octave(band) - mean_octave;
    let covariance: f64 = (0..BANDS).map(|band| deviation(band) * (levels_db[band] - mean_db)).sum();
    covariance / (0..BANDS).map(|band| deviation(band).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_the_standard_ones() {
        assert!((center_hz(0) - 50.1).abs() < 0.1 && (center_hz(13) - 1000.0).abs() < 1e-9);
        assert!((center_hz(BANDS - 1) - 15_849.0).abs() < 1.0);
        assert_eq!((band_at(1000.0), band_at(1120.0), band_at(1123.0)), (Some(13), Some(13), Some(14)));
        assert_eq!((band_at(0.0), band_at(44.0), band_at(18_000.0)), (None, None, None));
        let first = |index: usize| region(index).start;
        assert_eq!([first(0), first(1), first(2)].map(Some), [50.0, 250.0, 5_000.0].map(band_at));
        assert_eq!(region(REGIONS - 1).end, BANDS);
    }

    #[test]
    fn mono_and_lost_middles_stay_within_the_audible_range() {
        assert_eq!(ratio_db(0.0, 1.0), SIDE_FLOOR_DB);
        assert_eq!(ratio_db(1.0, 0.0), SIDE_CEILING_DB);
        assert_eq!(ratio_db(0.0, 0.0), SIDE_FLOOR_DB);
        assert!((ratio_db(0.1, 1.0) + 10.0).abs() < 1e-9);
    }
}
