//! Where stereo signals sit between the speakers: their balance, width and correlation over the last moments. Measured only
//! while somebody looks.

use tributary_dsp::{CHANNELS, Stem};

/// What lies this far back counts e times less, in seconds.
const MEMORY_S: f64 = 0.4;
/// Mean square of both sides together below which there is nothing to see: −70 dB of full scale.
const LEAST_POWER: f64 = 1e-7;

/// Where a stereo signal sits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StereoImage {
    /// −1 left, 1 right: the difference of the sides' amplitudes over their sum.
    pub balance: f32,
    /// Share of the energy that is side, 0–1: 0 is mono, 0.5 two sides that have nothing in common.
    pub width: f32,
    /// Correlation of the sides, −1 to 1; 0 where one of them is silent.
    pub correlation: f32,
}

/// Measures one stereo signal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ImageMeter {
    /// Mean squares of the sides and mean of their product.
    left: f64,
    right: f64,
    product: f64,
}

impl ImageMeter {
    /// Frames of both sides, at a rate.
    pub(crate) fn add(&mut self, [left, right]: [&[f32]; 2], rate_hz: f64) {
        if left.is_empty() {
            return;
        }
        let keep = (-(left.len() as f64) / (MEMORY_S * rate_hz)).exp();
        let mean = |one: &[f32], other: &[f32]| {
            let sum: f64 = one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            sum / one.len() as f64
        };
        for (kept, now) in [
            (&mut self.left, mean(left, left)),
            (&mut self.right, mean(right, right)),
            (&mut self.product, mean(left, right)),
        ] {
            *kept = keep * *kept + (1.0 - keep) * now;
        }
    }

    /// Where it sits; `None` for silence.
    pub(crate) fn image(&self) -> Option<StereoImage> {
        let power = self.left + self.right;
        let (left, right) = (self.left.sqrt(), self.right.sqrt());
        // Garbage compares as false.
        (power > LEAST_POWER && power.is_finite()).then(|| StereoImage {
            balance: ((right - left) / (right + left)) as f32,
            width: (0.5 - self.product / power).clamp(0.0, 1.0) as f32,
            correlation: (self.product / (left * right).max(1e-30)).clamp(-1.0, 1.0) as f32,
        })
    }
}

/// Images of the four stems, as long as somebody looks.
#[derive(Debug, Default)]
pub(crate) struct StemImages {
    watched: bool,
    meters: [ImageMeter; Stem::COUNT],
}

impl StemImages {
    /// Begins or goes on to measure, or stops.
    pub(crate) fn watch(&mut self, watched: bool) {
        if watched != self.watched {
            *self = Self { watched, ..Self::default() };
        }
    }

    /// Forgets what was heard.
    pub(crate) fn reset(&mut self) {
        self.meters = Default::default();
    }

    pub(crate) fn add(&mut self, stems: [&[f32]; CHANNELS], rate_hz: f64) {
        if self.watched {
            for (meter, pair) in self.meters.iter_mut().zip(stems.chunks_exact(2)) {
                meter.add([pair[0], pair[1]], rate_hz);
            }
        }
    }

    /// Where each stem sits; `None` for silence, and while nobody looks.
    pub(crate) fn images(&self) -> [Option<StereoImage>; Stem::COUNT] {
        self.meters.map(|meter| meter.image())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 48_000.0;

    fn image(left: f32, right: f32, unlike: bool) -> Option<StereoImage> {
        let mut meter = ImageMeter::default();
        let tone = |n: usize, shift: f32| (n as f32 * 0.05 + shift).sin();
        let shift = if unlike { 0.5 * std::f32::consts::PI } else { 0.0 };
        let sides: [Vec<f32>; 2] = [
            (0..96_000).map(|n| left * tone(n, 0.0)).collect(),
            (0..96_000).map(|n| right * tone(n, shift)).collect(),
        ];
        for (left, right) in sides[0].chunks(480).zip(sides[1].chunks(480)) {
            meter.add([left, right], RATE_HZ);
        }
        meter.image()
    }

    #[test]
    fn a_signal_is_found_where_it_is() {
        let near = |found: StereoImage, [balance, width, correlation]: [f32; 3]| {
            let wanted = [(found.balance, balance), (found.width, width), (found.correlation, correlation)];
            assert!(wanted.iter().all(|(found, wanted)| (found - wanted).abs() < 0.02), "{found:?}");
        };
        near(image(0.5, 0.5, false).expect("mono"), [0.0, 0.0, 1.0]);
        near(image(0.5, -0.5, false).expect("all side"), [0.0, 1.0, -1.0]);
        near(image(0.5, 0.5, true).expect("nothing in common"), [0.0, 0.5, 0.0]);
        near(image(0.5, 0.0, false).expect("left"), [-1.0, 0.5, 0.0]);
        near(image(0.3, 0.1, false).expect("half left"), [-0.5, 0.2, 1.0]);
        assert_eq!(image(0.0, 0.0, false), None);
        assert_eq!(image(f32::NAN, 0.1, false), None);
    }

    #[test]
    fn nothing_is_measured_while_nobody_looks() {
        let mut images = StemImages::default();
        let tone = vec![0.5_f32; 4800];
        images.add([&tone; CHANNELS], RATE_HZ);
        assert_eq!(images.images(), [None; Stem::COUNT]);
        images.watch(true);
        images.add([&tone; CHANNELS], RATE_HZ);
        assert!(images.images().iter().all(Option::is_some));
        images.watch(true);
        assert!(images.images().iter().all(Option::is_some), "still watched");
        images.watch(false);
        assert_eq!(images.images(), [None; Stem::COUNT]);
    }
}
