//! The published spectral features, frame by frame: centroid, bandwidth, contrast, roll-off and flatness, each the mean of
//! both channels. Definitions are librosa's, on magnitudes of frames that are not centered.

use tributary_dsp::StereoBuffer;

use super::frames::{Complex, Grid, Window};

/// Frames of the published evaluation.
pub const GRID: Grid = Grid { length: 4_096, hop: 1_024, window: Window::SqrtHann };
/// Bands of the spectral contrast: up to 250 Hz, three octaves, and the rest.
const BANDS: usize = 5;
const FIRST_EDGE_HZ: f64 = 250.0;
/// Share of a band's bins that count as its peak and as its valley.
const QUANTILE: f64 = 0.02;
/// Range of levels kept below the loudest peak or valley of the song, in dB.
const TOP_DB: f64 = 80.0;
/// Least magnitude in a logarithm.
const LEAST: f64 = 1e-10;
/// Share of the magnitude below the roll-off frequency.
const ROLLOFF: f64 = 0.85;

/// Number of series: centroid, bandwidth, contrast low, middle, high, roll-off, flatness.
pub const SERIES: usize = 7;

/// One value per frame of each feature.
pub type Series = [Vec<f64>; SERIES];

/// Measures both channels, scaled by `gain`, and averages them.
pub fn series(audio: &StereoBuffer, gain: f64) -> Series {
    let bands = contrast_bands();
    let mut channels = [Channel::default(), Channel::default()];
    let mut work = Work::default();
    GRID.each([&audio.left, &audio.right], |_, spectra| {
        for (channel, spectrum) in channels.iter_mut().zip(spectra) {
            work.frame(spectrum, gain, &bands, channel);
        }
    });
    let [left, right] = channels.map(Channel::finish);
    std::array::from_fn(|n| left[n].iter().zip(&right[n]).map(|(left, right)| (left + right) / 2.0).collect())
}

/// Bins of a contrast band and how many of them make a peak.
struct ContrastBand {
    bins: std::ops::Range<usize>,
    quantile: usize,
}

/// librosa's bands: each starts one bin below its edge, and all but the last leave their highest bin out.
fn contrast_bands() -> [ContrastBand; BANDS] {
    std::array::from_fn(|band| {
        let edge = |n: usize| if n == 0 { 0.0 } else { FIRST_EDGE_HZ * 2f64.powi(n as i32 - 1) };
        let first = (0..GRID.bins()).find(|&bin| GRID.hz(bin) >= edge(band)).unwrap_or(0);
        let start = if band > 0 { first - 1 } else { first };
        let last = band == BANDS - 1;
        let end = match last {
            true => GRID.bins(),
            false => (0..GRID.bins()).take_while(|&bin| GRID.hz(bin) <= edge(band + 1)).count(),
        };
        let quantile = (QUANTILE * (end - start) as f64).round_ties_even().max(1.0) as usize;
        ContrastBand { bins: start..if last { end } else { end - 1 }, quantile }
    })
}

/// Series of one channel; contrasts wait for the song's loudest peak.
#[derive(Default)]
struct Channel {
    centroid: Vec<f64>,
    bandwidth: Vec<f64>,
    rolloff: Vec<f64>,
    flatness: Vec<f64>,
    peaks_db: Vec<[f64; BANDS]>,
    valleys_db: Vec<[f64; BANDS]>,
}

impl Channel {
    fn finish(self) -> Series {
        let clipped = |levels: &[[f64; BANDS]]| {
            let floor = levels.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max) - TOP_DB;
            levels.iter().map(|row| row.map(|level| level.max(floor))).collect::<Vec<_>>()
        };
        let (peaks, valleys) = (clipped(&self.peaks_db), clipped(&self.valleys_db));
        let contrast = |bands: std::ops::Range<usize>| -> Vec<f64> {
            let mean = |(peak, valley): (&[f64; BANDS], &[f64; BANDS])| {
                let count = bands.len() as f64;
                bands.clone().map(|band| peak[band] - valley[band]).sum::<f64>() / count
            };
            peaks.iter().zip(&valleys).map(mean).collect()
        };
        let (low, middle, high) = (contrast(0..1), contrast(1..BANDS - 1), contrast(BANDS - 1..BANDS));
        [self.centroid, self.bandwidth, low, middle, high, self.rolloff, self.flatness]
    }
}

/// Buffers of one frame.
#[derive(Default)]
struct Work {
    magnitudes: Vec<f64>,
    sorted: Vec<f32>,
}

impl Work {
    fn frame(&mut self, spectrum: &[Complex], gain: f64, bands: &[ContrastBand; BANDS], out: &mut Channel) {
        self.magnitudes.clear();
        self.magnitudes.extend(spectrum.iter().map(|bin| gain * f64::from(bin.norm_sqr()).sqrt()));
        let magnitudes = &self.magnitudes;
        let total: f64 = magnitudes.iter().sum();
        let share = if total > 0.0 { 1.0 / total } else { 0.0 };
        let moment = |weight: &dyn Fn(f64) -> f64| {
            let terms =
                magnitudes.iter().enumerate().map(|(bin, magnitude)| magnitude * weight(GRID.hz(bin)));
            share * terms.sum::<f64>()
        };
        let centroid = moment(&|hz| hz);
        out.centroid.push(centroid);
        out.bandwidth.push(moment(&|hz| (hz - centroid).powi(2)).sqrt());
        let mut below = 0.0;
        let rolloff = magnitudes.iter().position(|magnitude| {
            below += magnitude;
            below >= ROLLOFF * total
        });
        out.rolloff.push(rolloff.map_or(0.0, |bin| GRID.hz(bin)));
        out.flatness.push(flatness(magnitudes));
        let (mut peaks, mut valleys) = ([0.0; BANDS], [0.0; BANDS]);
        for (band, description) in bands.iter().enumerate() {
            self.sorted.clear();
            self.sorted.extend(self.magnitudes[description.bins.clone()].iter().map(|&m| m as f32));
            (valleys[band], peaks[band]) = extremes_db(&mut self.sorted, description.quantile);
        }
        out.peaks_db.push(peaks);
        out.valleys_db.push(valleys);
    }
}

/// Geometric over arithmetic mean of the powers.
fn flatness(magnitudes: &[f64]) -> f64 {
    // Products of a few powers at a time stay within range and save most of the logarithms.
    let mut logarithms = 0.0;
    let mut arithmetic = 0.0;
    for chunk in magnitudes.chunks(8) {
        let mut product = 1.0_f64;
        for magnitude in chunk {
            let power = (magnitude * magnitude).max(LEAST);
            product *= power;
            arithmetic += power;
        }
        logarithms += product.ln();
    }
    let count = magnitudes.len() as f64;
    (logarithms / count).exp() / (arithmetic / count)
}

/// Levels of the mean of the `count` lowest and of the `count` highest magnitudes, in dB as librosa takes them (of a
/// power, although these are magnitudes).
fn extremes_db(magnitudes: &mut [f32], count: usize) -> (f64, f64) {
    let level = |part: &[f32]| {
        let mean = part.iter().map(|&m| f64::from(m)).sum::<f64>() / part.len() as f64;
        10.0 * mean.max(LEAST).log10()
    };
    let count = count.min(magnitudes.len());
    let length = magnitudes.len();
    magnitudes.select_nth_unstable_by(count - 1, f32::total_cmp);
    let valley = level(&magnitudes[..count]);
    magnitudes.select_nth_unstable_by(length - count, f32::total_cmp);
    (valley, level(&magnitudes[length - count..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_bands_join_without_a_gap() {
        let bands = contrast_bands();
        for pair in bands.windows(2) {
            assert_eq!(pair[0].bins.end, pair[1].bins.start, "{:?} {:?}", pair[0].bins, pair[1].bins);
        }
        assert_eq!((bands[0].bins.start, bands[BANDS - 1].bins.end), (0, GRID.bins()));
    }

    #[test]
    fn a_flat_spectrum_is_flat_and_a_line_is_not() {
        assert!((flatness(&[0.3; 2049]) - 1.0).abs() < 1e-9);
        let mut line = vec![1e-6; 2049];
        line[100] = 1.0;
        assert!(flatness(&line) < 1e-6);
    }
}
