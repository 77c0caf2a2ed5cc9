//! The decorrelating filter: decaying noise with a flat spectrum, one per stem, in parts that are weighted per octave.

use realfft::num_complex::Complex32;

use crate::effects::width::bands::{BANDS, band_weight};
use crate::filters::noise::uniform;
use crate::filters::transform::RealTransform;
use crate::hop::HOP_FRAMES;
use crate::stem::Stem;

/// Length of the decorrelating filter: two hops.
pub(crate) const TAPS: usize = 2 * HOP_FRAMES;
/// Time in which a stem's noise falls by 60 dB, in stem order. Short where attacks must stay crisp.
const DECAY_SECONDS: [f64; Stem::COUNT] = [0.040, 0.025, 0.015, 0.045];
/// Rounds after which the noise is flat.
const FLATTENING_ROUNDS: usize = 12;
/// Starts the noise, in stem order; each stem has its own, so that sides of different stems do not add up. Of 4,000 seeds each
/// these leave the least in phase with the middle in any octave: what is in phase makes one side louder.
const SEEDS: [u64; Stem::COUNT] =
    [0x7769_6465_0000_034a, 0x7769_6465_0000_2ad6, 0x7769_6465_0000_58a8, 0x7769_6465_0000_7845];

/// The decorrelating filter, in parts: one band each, to be weighted and added.
#[derive(Debug)]
pub(crate) struct Decorrelator {
    bands: Vec<Vec<f32>>,
    taps: Vec<f32>,
}

impl Decorrelator {
    pub(crate) fn new(stem: Stem, sample_rate_hz: f64) -> Self {
        let mut spectrum = PaddedSpectrum::new();
        let noise = flat_noise(decaying_noise(stem, sample_rate_hz), &mut spectrum);
        let bin_hz = sample_rate_hz / (2 * TAPS) as f64;
        let part = |band| spectrum.filter(&noise, |bin, _| band_weight(band, bin as f64 * bin_hz));
        Self { bands: (0..BANDS).map(part).collect(), taps: vec![0.0; TAPS] }
    }

    /// The filter with these gains (linear) per band. Does not allocate.
    pub(crate) fn taps(&mut self, gains: impl Iterator<Item = f32>) -> &[f32] {
        self.taps.fill(0.0);
        for (band, gain) in self.bands.iter().zip(gains).filter(|(_, gain)| *gain > 0.0) {
            self.taps.iter_mut().zip(band).for_each(|(tap, part)| *tap += gain * part);
        }
        &self.taps
    }
}

/// Noise that decays, [`TAPS`] samples.
fn decaying_noise(stem: Stem, sample_rate_hz: f64) -> Vec<f32> {
    let mut state = SEEDS[stem.index()];
    let decay = 10f64.powf(-3.0 / (DECAY_SECONDS[stem.index()] * sample_rate_hz));
    let mut level = 1.0;
    let mut sample = || {
        level *= decay;
        (2.0 * uniform(&mut state) - 1.0) * level
    };
    (0..TAPS).map(|_| sample() as f32).collect()
}

/// The noise with a flat spectrum (0 dB within half a decibel): by turns its magnitudes are set to one and its length is
/// kept. Without this a few random peaks and gaps would make the width of every band.
fn flat_noise(mut noise: Vec<f32>, spectrum: &mut PaddedSpectrum) -> Vec<f32> {
    for _ in 0..FLATTENING_ROUNDS {
        noise = spectrum.filter(&noise, |_, bin| 1.0 / f64::from(bin.norm()).max(1e-12));
    }
    noise
}

/// A transform of twice the filter's length, to filter the filter itself.
struct PaddedSpectrum {
    transform: RealTransform,
    time: Vec<f32>,
    bins: Vec<Complex32>,
}

impl PaddedSpectrum {
    fn new() -> Self {
        let transform = RealTransform::<f32>::new(2 * TAPS);
        Self { time: vec![0.0; 2 * TAPS], bins: vec![Complex32::default(); transform.bins()], transform }
    }

    /// `taps` with every bin multiplied by what `gain` says of its number and value, cut to [`TAPS`] samples.
    fn filter(&mut self, taps: &[f32], gain: impl Fn(usize, Complex32) -> f64) -> Vec<f32> {
        self.time[..TAPS].copy_from_slice(taps);
        self.time[TAPS..].fill(0.0);
        self.transform.forward(&mut self.time, &mut self.bins);
        for (number, bin) in self.bins.iter_mut().enumerate() {
            *bin *= (gain(number, *bin) / (2 * TAPS) as f64) as f32;
        }
        self.transform.inverse(&mut self.bins, &mut self.time);
        self.time[..TAPS].to_vec()
    }
}
