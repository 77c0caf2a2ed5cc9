//! How far the masks go. Both ends of CRAFx2 are a filter bank that gives back what it took in when every mask has one and
//! the same value: with that *neutral* mask the network's mix is the plain sum of the stems. So a share of the network is a
//! mask between neutral and its own, and it is interpolated in the logarithm, since masks are gains: half of 6 dB is 3 dB.
//!
//! Which value is neutral is measured, not assumed, and whether there is one at all: a network whose ends were trained
//! into another filter bank has no neutral mask.

use super::back_end::BackRun;
use super::bands::Bands;
use super::front_end::FrontRun;
use super::mask_layout;
use crate::bundle::contract::FRAME_RATIO;
use crate::error::ModelError;
use crate::mask_meter::MaskMeter;
use crate::model::MaskHold;
use crate::onnx::graph::RunOptions;
use crate::test_support::Noise;

/// Frames of noise with which the ends are measured.
const MEASURED_FRAMES: usize = 4096;
/// Frames at either end of them that are left out: what the filters of both ends reach.
const EDGE_FRAMES: usize = 256;
/// How quiet the noise is: the final tanh must not bend it.
const MEASURED_PEAK: f32 = 0.003;
/// The sum must come back at least so far above what else comes (40 dB).
const LEAST_RATIO: f64 = 1e4;
/// A mask below this (−180 dB) is none: its logarithm is bounded.
const LEAST_MASK: f32 = 1e-9;

/// See the module documentation.
#[derive(Default)]
pub(super) struct Masks {
    neutral: Option<f32>,
    /// For each frame of the mix; empty for all of the network.
    shares: Vec<f32>,
    held: Option<Held>,
    /// Shows people what the masks do, where it is known what they are of.
    meter: Option<MaskMeter>,
}

/// Means of the masks, watched or held.
struct Held {
    hold: MaskHold,
    /// Natural logarithms, summed over so many columns.
    sums: Vec<f64>,
    columns: f64,
}

impl Held {
    /// Watches the masks of a hop, or puts their means in their place.
    fn apply(&mut self, mask: &mut [f32], filters: usize) {
        let columns = mask.len() / filters;
        self.sums.resize(filters, 0.0);
        for (row, sum) in mask.chunks_exact_mut(columns).zip(&mut self.sums) {
            match self.hold {
                MaskHold::Watch => *sum += row.iter().map(|m| f64::from(m.max(LEAST_MASK)).ln()).sum::<f64>(),
                MaskHold::Mean => row.fill((*sum / self.columns.max(1.0)).exp() as f32),
            }
        }
        if self.hold == MaskHold::Watch {
            self.columns += columns as f64;
        }
    }
}

impl Masks {
    /// Finds the neutral mask of a network's ends, and what its filters hear.
    pub(super) fn measure(
        options: &RunOptions,
        filters: usize,
        front: &mut FrontRun,
        back: &mut BackRun,
        sample_rate_hz: f64,
    ) -> Result<Self, ModelError> {
        let neutral = measure_neutral(options, filters, front, back)?;
        let layout = mask_layout::measure(options, filters, front, sample_rate_hz)?;
        let columns_per_s = sample_rate_hz / FRAME_RATIO as f64;
        let meter = neutral.zip(layout);
        let meter = meter.map(|(neutral, layout)| MaskMeter::new(layout, neutral, columns_per_s));
        Ok(Self { neutral, shares: Vec::new(), held: None, meter })
    }

    /// Whether there is a neutral mask.
    pub(super) fn are_known(&self) -> bool {
        self.neutral.is_some()
    }

    /// Watches the masks from now on, or holds them where they were on average.
    pub(super) fn hold(&mut self, hold: MaskHold) {
        let held = self.held.get_or_insert_with(|| Held { hold, sums: Vec::new(), columns: 0.0 });
        held.hold = hold;
    }

    /// The next hop's masks go so far from neutral: a share from 0 to 1 for each frame of the mix, or all the way.
    pub(super) fn set(&mut self, shares: Option<&[f32]>) {
        self.shares.clear();
        self.shares.extend_from_slice(shares.unwrap_or(&[]));
    }

    /// Where the masks can be read.
    pub(super) fn meter(&mut self) -> Option<&mut MaskMeter> {
        self.meter.as_mut()
    }

    /// Brings the hop's mask to where it shall be and shows it: rows of columns of 64 frames, the first of which lies ahead of
    /// the hop, which is `hop_columns` long.
    pub(super) fn apply(&mut self, mask: &mut [f32], filters: usize, hop_columns: usize) {
        if let Some(held) = &mut self.held {
            held.apply(mask, filters);
        }
        self.interpolate(mask, filters);
        if let Some(meter) = &mut self.meter {
            meter.take(mask, 1..1 + hop_columns);
        }
    }

    fn interpolate(&self, mask: &mut [f32], filters: usize) {
        let (Some(neutral), false) = (self.neutral, self.shares.is_empty()) else { return };
        let columns = mask.len() / filters;
        for (column, share) in shares_of_columns(&self.shares, columns).enumerate() {
            for row in mask.chunks_exact_mut(columns) {
                row[column] = between(neutral, row[column], share);
            }
        }
    }
}

/// The mask with which the mix is the sum of the stems; `None` when there is none.
fn measure_neutral(
    options: &RunOptions,
    filters: usize,
    front: &mut FrontRun,
    back: &mut BackRun,
) -> Result<Option<f32>, ModelError> {
    let mut noise = Noise(1);
    let stems: [Vec<f32>; tributary_dsp::CHANNELS] =
        std::array::from_fn(|_| (0..MEASURED_FRAMES).map(|_| MEASURED_PEAK * noise.sample()).collect());
    let made = front.run(options, stems.iter().map(Vec::as_slice))?;
    let mut bands = Bands::new(MEASURED_FRAMES + 2 * FRAME_RATIO);
    bands.push(made);
    bands.push_silence(FRAME_RATIO);
    let ones = vec![1.0; filters * (MEASURED_FRAMES / FRAME_RATIO + 2)];
    let mix = back.run_whole(options, &bands, &ones)?;
    let inner = EDGE_FRAMES..MEASURED_FRAMES - EDGE_FRAMES;
    let (mut with_sum, mut own, mut of_sum) = (0.0, 0.0, 0.0);
    for (side, mix) in mix.chunks_exact(MEASURED_FRAMES).enumerate() {
        for n in inner.clone() {
            let sum: f32 = stems.iter().skip(side).step_by(2).map(|stem| stem[n]).sum();
            let (sum, mix) = (f64::from(sum), f64::from(mix[n]));
            with_sum += sum * mix;
            own += mix * mix;
            of_sum += sum * sum;
        }
    }
    // Of the sum the least squares leave this.
    let rest = of_sum - with_sum * with_sum / own;
    Ok((with_sum > 0.0 && rest * LEAST_RATIO <= of_sum).then(|| (with_sum / own) as f32))
}

/// The share in the middle of each column.
fn shares_of_columns(shares: &[f32], columns: usize) -> impl Iterator<Item = f32> {
    (0..columns).map(|column| {
        let middle = (column * FRAME_RATIO + FRAME_RATIO / 2).saturating_sub(FRAME_RATIO);
        shares[middle.min(shares.len() - 1)]
    })
}

/// A share of the way from the neutral mask to another, in the logarithm.
fn between(neutral: f32, mask: f32, share: f32) -> f32 {
    if share >= 1.0 { mask } else { neutral * (mask.max(LEAST_MASK) / neutral).powf(share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_gain_is_half_of_its_decibels() {
        let db = |mask: f32| 20.0 * (mask / 0.3466).log10();
        for gain_db in [-60.0_f32, -6.0, 0.0, 12.0] {
            let mask = 0.3466 * 10f32.powf(gain_db / 20.0);
            for share in [0.0, 0.05, 0.5, 0.9] {
                let got = db(between(0.3466, mask, share));
                assert!((got - share * gain_db).abs() < 1e-3, "{gain_db} dB, {share}: {got} dB");
            }
            assert_eq!(between(0.3466, mask, 1.0), mask, "to the bit");
        }
        assert!(between(0.3466, 0.0, 0.5).is_finite());
    }

    #[test]
    fn held_masks_stay_where_they_were_on_average() {
        let mut masks = Masks::default();
        masks.hold(MaskHold::Watch);
        let moving = [1.0, 4.0, 0.5, 0.5];
        let mut heard = moving;
        masks.apply(&mut heard, 2, 1);
        assert_eq!(heard, moving, "watching changes nothing");
        masks.hold(MaskHold::Mean);
        let mut held = [9.0, 9.0, 9.0, 7.0];
        masks.apply(&mut held, 2, 1);
        assert!(
            held.iter().zip([2.0, 2.0, 0.5, 0.5]).all(|(held, mean)| (held - mean).abs() < 1e-6),
            "{held:?}"
        );
    }

    #[test]
    fn columns_take_the_share_of_their_middle() {
        let shares: Vec<f32> = (0..256).map(|n| n as f32).collect();
        let columns: Vec<f32> = shares_of_columns(&shares, 6).collect();
        assert_eq!(columns, [0.0, 32.0, 96.0, 160.0, 224.0, 255.0]);
    }
}
