//! Mixes whose recipe is known: every stem through a gain, a balance and two shelves, and what that is in decibels.

use tributary_dsp::explain::{THIRD_OCTAVES, center_hz};
use tributary_dsp::filter::{Coefficients, StereoBiquad, k_weighting};
use tributary_dsp::stft::RealTransform;
use tributary_dsp::{Stem, StereoBuffer};

/// Length of the spectra that tell the truth: other than the estimator's.
const SPECTRUM_FRAMES: usize = 1 << 15;
const RATE_HZ: f64 = 44_100.0;
/// Corners and steepness of the shelves.
const SHELVES_HZ: [f64; 2] = [200.0, 4_000.0];
const SHELF_Q: f64 = 0.707;

/// What is done to one stem.
#[derive(Clone, Copy)]
pub struct Treatment {
    pub gain_db: f64,
    /// Difference of the sides: right louder by so much, in dB.
    pub balance_db: f64,
    pub low_shelf_db: f64,
    pub high_shelf_db: f64,
}

/// One stem as it went into the mix.
pub fn treated(stem: &StereoBuffer, treatment: Treatment) -> StereoBuffer {
    let Treatment { gain_db, balance_db, low_shelf_db, high_shelf_db } = treatment;
    let gain = |db: f64| 10f64.powf(db / 20.0);
    let sides = [gain(gain_db - 0.5 * balance_db), gain(gain_db + 0.5 * balance_db)];
    let mut filters = [
        Coefficients::low_shelf(SHELVES_HZ[0], low_shelf_db, SHELF_Q, RATE_HZ),
        Coefficients::high_shelf(SHELVES_HZ[1], high_shelf_db, SHELF_Q, RATE_HZ),
    ]
    .map(StereoBiquad::new);
    let mut out = StereoBuffer::silence(stem.frames());
    for n in 0..stem.frames() {
        let frame = [f64::from(stem.left[n]), f64::from(stem.right[n])];
        let [left, right] = filters.iter_mut().fold(frame, |frame, filter| filter.tick(frame));
        (out.left[n], out.right[n]) = ((sides[0] * left) as f32, (sides[1] * right) as f32);
    }
    out
}

/// The sum of some stems.
pub fn sum<'a>(stems: impl IntoIterator<Item = &'a StereoBuffer>) -> StereoBuffer {
    let mut mix = StereoBuffer::default();
    for stem in stems {
        mix.left.resize(mix.left.len().max(stem.frames()), 0.0);
        mix.right.resize(mix.left.len(), 0.0);
        mix.left.iter_mut().zip(&stem.left).for_each(|(sum, sample)| *sum += sample);
        mix.right.iter_mut().zip(&stem.right).for_each(|(sum, sample)| *sum += sample);
    }
    mix
}

/// Power of both sides per third octave.
pub fn band_powers(audio: &StereoBuffer) -> [f64; THIRD_OCTAVES] {
    let mut transform = RealTransform::<f32>::new(SPECTRUM_FRAMES);
    let mut bins = vec![Default::default(); transform.bins()];
    let mut powers = [0.0; THIRD_OCTAVES];
    for side in [&audio.left, &audio.right] {
        for start in (0..side.len()).step_by(SPECTRUM_FRAMES / 2) {
            let mut time: Vec<f32> = (0..SPECTRUM_FRAMES)
                .map(|n| {
                    let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / SPECTRUM_FRAMES as f64).cos();
                    side.get(start + n).copied().unwrap_or(0.0) * hann as f32
                })
                .collect();
            transform.forward(&mut time, &mut bins);
            for (bin, value) in bins.iter().enumerate().skip(1) {
                let hz = bin as f64 * RATE_HZ / SPECTRUM_FRAMES as f64;
                let band = (3.0 * (hz / center_hz(0)).log2()).round();
                if (0.0..THIRD_OCTAVES as f64).contains(&band) {
                    powers[band as usize] += f64::from(value.norm_sqr());
                }
            }
        }
    }
    powers
}

/// K-weighted power of both sides.
pub fn loudness_power(audio: &StereoBuffer) -> f64 {
    let mut filters = k_weighting(RATE_HZ).map(StereoBiquad::new);
    let frames = audio.left.iter().zip(&audio.right);
    frames
        .map(|(left, right)| {
            let frame = [f64::from(*left), f64::from(*right)];
            let [left, right] = filters.iter_mut().fold(frame, |frame, filter| filter.tick(frame));
            left * left + right * right
        })
        .sum()
}

/// Everything about one stem in a mix that is known.
pub struct Truth {
    pub gain_db: f64,
    /// K-weighted, against the mix.
    pub level_lu: f64,
    /// Power of the mix per third octave against its strongest, in dB.
    pub mix_db: [f64; THIRD_OCTAVES],
    /// Per third octave, and the stem's power there against the mix's, in dB.
    pub curve_db: [f64; THIRD_OCTAVES],
    pub share_db: [f64; THIRD_OCTAVES],
}

/// What became of the stems; `None` for a silent one.
pub fn truths(
    raw: &[StereoBuffer; Stem::COUNT],
    placed: &[StereoBuffer; Stem::COUNT],
    mix: &StereoBuffer,
) -> [Option<Truth>; Stem::COUNT] {
    let db = |a: f64, b: f64| 10.0 * (a / b).log10();
    let (mix_bands, mix_loudness) = (band_powers(mix), loudness_power(mix));
    std::array::from_fn(|stem| {
        let (before, after) = (loudness_power(&raw[stem]), loudness_power(&placed[stem]));
        let (bands, placed) = (band_powers(&raw[stem]), band_powers(&placed[stem]));
        let strongest = mix_bands.iter().copied().fold(0.0, f64::max);
        (before > 1e-9 * mix_loudness).then(|| Truth {
            gain_db: db(after, before),
            level_lu: db(after, mix_loudness),
            mix_db: mix_bands.map(|power| db(power, strongest)),
            curve_db: std::array::from_fn(|band| db(placed[band], bands[band])),
            share_db: std::array::from_fn(|band| db(placed[band], mix_bands[band])),
        })
    })
}
