//! A filter without delay: minimum phase, from the folded cepstrum of the curve (Oppenheim and Schafer, Discrete-Time Signal
//! Processing, section 13.4). What an engineer's equalizer does, and what a live stream waits for least.

use realfft::num_complex::Complex64;

use crate::effects::equalization::curve::CURVE_POINTS;
use crate::filters::transform::RealTransform;
use crate::hop::HOP_FRAMES;
use crate::units::gain_from_db;

/// Taps of the filter: one hop, so that it fits one block of the convolution.
pub(crate) const MINIMUM_PHASE_TAPS: usize = HOP_FRAMES;
/// Points of the transform.
const LENGTH: usize = 2 * (CURVE_POINTS - 1);
/// Last taps, which fade out: what is cut off there lies far below the rest.
const FADED_TAPS: usize = 128;

/// Designs filters from curves without allocating.
#[derive(Debug)]
pub(crate) struct MinimumPhase {
    transform: RealTransform<f64>,
    bins: Vec<Complex64>,
    time: Vec<f64>,
    taps: Vec<f32>,
}

impl MinimumPhase {
    /// Allocates all buffers.
    pub(crate) fn new() -> Self {
        Self {
            transform: RealTransform::new(LENGTH),
            bins: vec![Complex64::default(); CURVE_POINTS],
            time: vec![0.0; LENGTH],
            taps: vec![0.0; MINIMUM_PHASE_TAPS],
        }
    }

    /// The filter whose response is `curve_db × amount`, [`CURVE_POINTS`] points from 0 Hz to Nyquist, with `gain_db × amount`
    /// folded in.
    pub(crate) fn kernel_taps(&mut self, curve_db: &[f32], gain_db: f64, amount: f64) -> &[f32] {
        const NEPERS_PER_DB: f64 = std::f64::consts::LN_10 / 20.0;
        for (bin, point_db) in self.bins.iter_mut().zip(curve_db) {
            *bin = Complex64::new(f64::from(*point_db) * amount * NEPERS_PER_DB, 0.0);
        }
        self.transform.inverse(&mut self.bins, &mut self.time);
        // The cepstrum of a minimum-phase filter has nothing before 0: what lies there is folded over.
        for (index, value) in self.time.iter_mut().enumerate() {
            let folded = match index {
                0 => 1.0,
                index if index < LENGTH / 2 => 2.0,
                index if index == LENGTH / 2 => 1.0,
                _ => 0.0,
            };
            *value *= folded / LENGTH as f64;
        }
        self.transform.forward(&mut self.time, &mut self.bins);
        self.bins.iter_mut().for_each(|bin| *bin = bin.exp());
        self.transform.inverse(&mut self.bins, &mut self.time);
        let scale = gain_from_db(gain_db * amount) / LENGTH as f64;
        for (index, (tap, value)) in self.taps.iter_mut().zip(&self.time).enumerate() {
            let left = (MINIMUM_PHASE_TAPS - index).min(FADED_TAPS) as f64 / FADED_TAPS as f64;
            *tap = (value * scale * left) as f32;
        }
        &self.taps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_is_the_curve_and_most_of_the_energy_comes_first() {
        // A broad boost at point 100 and a falling top.
        let curve: Vec<f32> = (0..CURVE_POINTS)
            .map(|point| {
                let octaves = (point.max(1) as f32 / 100.0).log2();
                9.0 * (-octaves * octaves).exp() - 0.01 * point as f32
            })
            .collect();
        let taps = MinimumPhase::new().kernel_taps(&curve, -3.0, 1.0).to_vec();
        let mut transform = RealTransform::<f64>::new(LENGTH);
        let mut time: Vec<f64> = taps.iter().map(|tap| f64::from(*tap)).collect();
        time.resize(LENGTH, 0.0);
        let mut bins = vec![Complex64::default(); CURVE_POINTS];
        transform.forward(&mut time, &mut bins);
        for (point, (bin, wanted)) in bins.iter().zip(&curve).enumerate().skip(2) {
            let error_db = 20.0 * bin.norm().log10() - (f64::from(*wanted) - 3.0);
            assert!(error_db.abs() < 0.1, "{point}: {error_db}");
        }
        let energy = |taps: &[f32]| taps.iter().map(|tap| tap * tap).sum::<f32>();
        assert!(energy(&taps[..64]) > 0.98 * energy(&taps));
    }
}
