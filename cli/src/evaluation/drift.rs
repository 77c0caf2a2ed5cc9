//! Style drift: how much a mix changes its own ways over the song, against what the human mix does at the same moments.
//!
//! Windows of 3 s are described by eleven numbers in dB: loudness, tone in five bands, width in five bands. The song's
//! content moves them, but it moves those of both mixes alike: what is left of `mix − human mix` after its mean over the
//! song is taken away is what one of the two did and the other did not. A constant difference (brighter throughout) is no
//! drift; a mix that pumps, hunts or changes its balance with every section is.

use tributary_dsp::StereoBuffer;
use tributary_dsp::filter::k_weighting;

use super::catalog::Figure;
use super::frames::{Grid, Window, mid_side_power};
use super::tone::ratio_db;

const GRID: Grid = Grid { length: 4_096, hop: 2_048, window: Window::Hann };
/// Length and step of a window in seconds: those of short-term loudness.
const WINDOW_S: f64 = 3.0;
const STEP_S: f64 = 1.0;
/// Upper edges of the bands in Hz: bass, warmth, middle, presence, air.
const EDGES_HZ: [f64; BANDS] = [120.0, 500.0, 2_000.0, 6_000.0, 20_000.0];
const BANDS: usize = 5;
/// Loudness, tone, width.
const FEATURES: usize = 1 + 2 * BANDS;
/// Windows in which the human mix is this far below its loudest are rests, in dB.
const GATE_DB: f64 = 30.0;
/// A band this far below its window's sum is inaudible; lower levels count as this one, in dB.
const BAND_FLOOR_DB: f64 = -50.0;

/// How one mix goes through the song.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Features of every window.
    windows: Vec<[f64; FEATURES]>,
}

/// Powers of one frame.
#[derive(Clone, Copy, Default)]
struct Moment {
    loudness: f64,
    mid: [f64; BANDS],
    side: [f64; BANDS],
}

impl Moment {
    fn add(&mut self, other: &Self) {
        self.loudness += other.loudness;
        for band in 0..BANDS {
            self.mid[band] += other.mid[band];
            self.side[band] += other.side[band];
        }
    }

    fn features(&self) -> [f64; FEATURES] {
        let total: f64 = self.mid.iter().sum();
        let floor = 10f64.powf(BAND_FLOOR_DB / 10.0);
        std::array::from_fn(|feature| match feature {
            0 => 10.0 * self.loudness.max(1e-12).log10(),
            1..=BANDS => 10.0 * (self.mid[feature - 1] / total.max(1e-12)).max(floor).log10(),
            _ => ratio_db(self.side[feature - 1 - BANDS], self.mid[feature - 1 - BANDS]),
        })
    }
}

impl Course {
    /// Measures a mix.
    pub fn of(audio: &StereoBuffer) -> Self {
        let rate_hz = f64::from(super::RATE_HZ);
        let filters = k_weighting(rate_hz);
        let weight = |hz: f64| filters.iter().map(|filter| filter.power_at(hz, rate_hz)).product::<f64>();
        let bins: Vec<(Option<usize>, f64)> = (0..GRID.bins())
            .map(|bin| GRID.hz(bin))
            .map(|hz| (EDGES_HZ.iter().position(|&edge| hz < edge), weight(hz)))
            .collect();
        let mut moments = Vec::with_capacity(GRID.count(audio.frames()));
        GRID.each([&audio.left, &audio.right], |_, [left, right]| {
            let mut moment = Moment::default();
            for ((&(band, weight), &left), &right) in bins.iter().zip(left).zip(right) {
                let (mid, side) = mid_side_power(left, right);
                moment.loudness += weight * (mid + side);
                if let Some(band) = band {
                    moment.mid[band] += mid;
                    moment.side[band] += side;
                }
            }
            moments.push(moment);
        });
        Self { windows: windows(&moments) }
    }

    /// The figures; `self` is the human mix.
    pub fn compare(&self, mix: &Self) -> Vec<Figure> {
        let loudest = self.windows.iter().map(|window| window[0]).fold(f64::NEG_INFINITY, f64::max);
        let heard: Vec<usize> = (0..self.windows.len().min(mix.windows.len()))
            .filter(|&n| self.windows[n][0] > loudest - GATE_DB)
            .collect();
        let of = |course: &Self| heard.iter().map(|&n| course.windows[n]).collect::<Vec<_>>();
        let (reference, mix) = (of(self), of(mix));
        let difference: Vec<[f64; FEATURES]> = reference
            .iter()
            .zip(&mix)
            .map(|(reference, mix)| std::array::from_fn(|feature| mix[feature] - reference[feature]))
            .collect();
        vec![
            Figure::maybe("style_drift_db", wander(&difference, 0..FEATURES)),
            Figure::maybe("level_drift_db", wander(&difference, 0..1)),
            Figure::maybe("tone_drift_db", wander(&difference, 1..1 + BANDS)),
            Figure::maybe("width_drift_db", wander(&difference, 1 + BANDS..FEATURES)),
            Figure::values("wander_db", wander(&reference, 0..FEATURES), wander(&mix, 0..FEATURES)),
        ]
    }
}

fn windows(moments: &[Moment]) -> Vec<[f64; FEATURES]> {
    let per_second = f64::from(super::RATE_HZ) / GRID.hop as f64;
    let length = ((WINDOW_S * per_second).round() as usize).min(moments.len());
    if length == 0 {
        return Vec::new();
    }
    let count = 1 + ((moments.len() - length) as f64 / (STEP_S * per_second)) as usize;
    let window = |n: usize| {
        let start = (n as f64 * STEP_S * per_second) as usize;
        let mut sum = Moment::default();
        moments[start..start + length].iter().for_each(|moment| sum.add(moment));
        sum.features()
    };
    (0..count).map(window).collect()
}

/// Root mean square, over time and features, of the deviation from each feature's own mean.
fn wander(windows: &[[f64; FEATURES]], features: std::ops::Range<usize>) -> Option<f64> {
    if windows.is_empty() {
        return None;
    }
    let (count, width) = (windows.len() as f64, features.len() as f64);
    let squares: f64 = features
        .map(|feature| {
            let mean = windows.iter().map(|window| window[feature]).sum::<f64>() / count;
            windows.iter().map(|window| (window[feature] - mean).powi(2)).sum::<f64>() / count
        })
        .sum();
    Some((squares / width).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(reference: &StereoBuffer, mix: &StereoBuffer) -> f64 {
        let figures = Course::of(reference).compare(&Course::of(mix));
        figures[0].distance.expect("measured")
    }

    #[test]
    fn a_constant_change_is_no_drift_and_a_moving_one_is() {
        let mut state = 7_u32;
        let mut noise = || -> Vec<f32> {
            (0..12 * 44_100)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / 1.7e7 - 0.5
                })
                .collect()
        };
        let reference = StereoBuffer { left: noise(), right: noise() };
        let scaled = |gain: &dyn Fn(usize) -> f32| StereoBuffer {
            left: reference.left.iter().enumerate().map(|(n, x)| x * gain(n)).collect(),
            right: reference.right.iter().enumerate().map(|(n, x)| x * gain(n)).collect(),
        };
        assert!(drift(&reference, &reference) < 1e-9);
        assert!(drift(&reference, &scaled(&|_| 0.3)) < 1e-4, "quieter throughout");
        let pumping = drift(&reference, &scaled(&|n| if n < 6 * 44_100 { 1.0 } else { 0.5 }));
        // ± 3 dB of loudness in one of eleven features.
        assert!((0.5..1.2).contains(&pumping), "{pumping}");
    }
}
