//! Which stem and which frequencies each filter of a network's front end hears. Nothing in a bundle says it: a front end may
//! be a bank of the stems' middles and sides, or have been trained into something else. So it is measured, with noise in
//! one part of one stem at a time; where filters hear several parts there is no layout, and no picture of the masks.

use tributary_dsp::stft::RealTransform;
use tributary_dsp::{CHANNELS, Stem};

use super::front_end::FrontRun;
use crate::error::ModelError;
use crate::mask_meter::{MOST_BANDS, MaskLayout, PARTS};
use crate::onnx::graph::RunOptions;
use crate::test_support::Noise;

/// Frames of noise.
const MEASURED_FRAMES: usize = 4096;
const MEASURED_PEAK: f32 = 0.003;
/// A filter belongs to a part from which this share of its power comes when all parts are as loud (20 dB above the rest).
const OWN_SHARE: f64 = 0.99;

/// What one filter made of the noise of one part.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    power: f64,
    /// Half of the power lies below: filters of 64 taps let something through everywhere, so a mean would not do.
    median_hz: f64,
}

/// Measures the layout; `None` when there is none.
pub(super) fn measure(
    options: &RunOptions,
    filters: usize,
    front: &mut FrontRun,
    sample_rate_hz: f64,
) -> Result<Option<MaskLayout>, ModelError> {
    let mut heard = vec![[Heard::default(); Stem::COUNT * PARTS]; filters];
    let mut noise = Noise(2);
    let noise: Vec<f32> = (0..MEASURED_FRAMES).map(|_| MEASURED_PEAK * noise.sample()).collect();
    let opposite: Vec<f32> = noise.iter().map(|sample| -sample).collect();
    let silence = vec![0.0; MEASURED_FRAMES];
    let mut transform = RealTransform::new(MEASURED_FRAMES);
    let bin_hz = sample_rate_hz / MEASURED_FRAMES as f64;
    for part in 0..Stem::COUNT * PARTS {
        let channel = |n: usize| match (n / 2 == part / PARTS, n % 2, part % PARTS) {
            (false, ..) => &silence,
            (true, 1, 1) => &opposite,
            (true, ..) => &noise,
        };
        let made = front.run(options, (0..CHANNELS).map(|n| channel(n).as_slice()))?;
        for (row, heard) in made.planar()?.chunks_exact(MEASURED_FRAMES).zip(&mut heard) {
            heard[part] = look(row, &mut transform, bin_hz);
        }
    }
    Ok(layout(&heard))
}

/// Looks at what a filter made.
fn look(row: &[f32], transform: &mut RealTransform, bin_hz: f64) -> Heard {
    let (mut time, mut bins) = (row.to_vec(), vec![Default::default(); transform.bins()]);
    transform.forward(&mut time, &mut bins);
    let power: f64 = bins.iter().map(|bin| f64::from(bin.norm_sqr())).sum();
    let mut below = 0.0;
    let median = bins.iter().position(|bin| {
        below += f64::from(bin.norm_sqr());
        below >= 0.5 * power
    });
    Heard { power, median_hz: median.unwrap_or(0) as f64 * bin_hz }
}

/// The layout that follows from what every filter heard of every part.
fn layout(heard: &[[Heard; Stem::COUNT * PARTS]]) -> Option<MaskLayout> {
    let mut parts: [Vec<(f64, usize)>; Stem::COUNT * PARTS] = Default::default();
    for (filter, heard) in heard.iter().enumerate() {
        let all: f64 = heard.iter().map(|heard| heard.power).sum();
        let part = heard.iter().position(|heard| heard.power > OWN_SHARE * all)?;
        parts[part].push((heard[part].median_hz, filter));
    }
    let count = parts[0].len();
    if count == 0 || parts.iter().any(|part| part.len() != count) {
        return None;
    }
    let bands = count.min(MOST_BANDS);
    let mut places = vec![(0, 0, 0); heard.len()];
    let mut bands_hz = vec![0.0; bands];
    for (number, part) in parts.iter_mut().enumerate() {
        part.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (place, &(hz, filter)) in part.iter().enumerate() {
            let band = place * bands / count;
            places[filter] = (number / PARTS, number % PARTS, band);
            bands_hz[band] += hz;
        }
    }
    for (band, hz) in bands_hz.iter_mut().enumerate() {
        *hz /= places.iter().filter(|place| place.2 == band).count() as f64;
    }
    Some(MaskLayout { bands_hz: bands_hz.into_iter().map(|hz| hz as f32).collect(), places })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter of one part whose middle is this.
    fn filter(part: usize, hz: f64, elsewhere: f64) -> [Heard; Stem::COUNT * PARTS] {
        let mut heard = [Heard { power: elsewhere, median_hz: 9_000.0 }; Stem::COUNT * PARTS];
        heard[part] = Heard { power: 1.0, median_hz: hz };
        heard
    }

    #[test]
    fn filters_are_sorted_by_part_and_frequency() {
        let high_first = (0..8).flat_map(|part| [filter(part, 5_000.0, 1e-6), filter(part, 400.0, 1e-6)]);
        let layout = layout(&high_first.collect::<Vec<_>>()).expect("a bank of middles and sides");
        assert!((layout.bands_hz[0] - 400.0).abs() < 1.0 && (layout.bands_hz[1] - 5_000.0).abs() < 1.0);
        assert_eq!(layout.places[..4], [(0, 0, 1), (0, 0, 0), (0, 1, 1), (0, 1, 0)]);
        assert_eq!(layout.places[15], (3, 1, 0));
    }

    #[test]
    fn filters_that_hear_several_parts_have_no_layout() {
        let mixed = (0..8).map(|part| filter(part, 1_000.0, 0.1)).collect::<Vec<_>>();
        assert_eq!(layout(&mixed), None);
        let uneven = (0..8).map(|part| filter(part.min(6), 1_000.0, 0.0)).collect::<Vec<_>>();
        assert_eq!(layout(&uneven), None);
    }
}
