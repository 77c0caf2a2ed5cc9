//! What a network does at this moment, for people to see: its masks, gate included, as decibels from where the mix would be the
//! plain sum of the stems, averaged to some ten readings a second. A model with masks has a meter; it measures only while
//! somebody looks.

use std::collections::VecDeque;

use tributary_dsp::Stem;

/// Middle and side of a stem.
pub const PARTS: usize = 2;
/// Most bands that are told apart; of a network with more, neighbors are averaged.
pub const MOST_BANDS: usize = 16;
/// Readings a second.
pub const READINGS_PER_S: f64 = 10.0;
/// Readings that are kept until somebody takes them: ten seconds.
const MOST_READINGS: usize = 100;
/// A mask this far down is shut, in dB.
const LOWEST_DB: f32 = -60.0;

/// Which stem, part and band each of a network's filters belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskLayout {
    /// Center of each band in Hz, rising; at most [`MOST_BANDS`].
    pub bands_hz: Vec<f32>,
    /// For each filter its stem, its part and its band.
    pub(crate) places: Vec<(usize, usize, usize)>,
}

/// Masks of one tenth of a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaskReading {
    /// Gain in dB against the plain sum, per stem, for middle and side, and band; 0 for bands that the layout does not have.
    pub gains_db: [[[f32; MOST_BANDS]; PARTS]; Stem::COUNT],
}

/// See the module documentation.
#[derive(Debug)]
pub struct MaskMeter {
    layout: MaskLayout,
    neutral: f32,
    columns_per_reading: usize,
    is_on: bool,
    /// Decibels per filter, and of how many columns.
    sums_db: Vec<f32>,
    columns: usize,
    /// Readings nobody has taken, oldest first.
    readings: VecDeque<MaskReading>,
}

impl MaskMeter {
    /// Of a network whose neutral mask is `neutral`, with so many columns of masks a second.
    pub(crate) fn new(layout: MaskLayout, neutral: f32, columns_per_s: f64) -> Self {
        let sums_db = vec![0.0; layout.places.len()];
        let columns_per_reading = (columns_per_s / READINGS_PER_S).round().max(1.0) as usize;
        let readings = VecDeque::new();
        Self { layout, neutral, columns_per_reading, is_on: false, sums_db, columns: 0, readings }
    }

    /// What the readings are of.
    pub fn layout(&self) -> &MaskLayout {
        &self.layout
    }

    /// Begins or ceases to measure.
    pub fn turn(&mut self, on: bool) {
        if on != self.is_on {
            self.is_on = on;
            self.restart();
        }
    }

    /// Another stream begins.
    pub(crate) fn restart(&mut self) {
        self.sums_db.fill(0.0);
        self.columns = 0;
    }

    /// Takes masks: a row for each filter, of which these columns count.
    pub(crate) fn take(&mut self, mask: &[f32], columns: std::ops::Range<usize>) {
        if !self.is_on {
            return;
        }
        let filters = self.sums_db.len();
        let width = mask.len() / filters;
        for column in columns {
            for (sum_db, row) in self.sums_db.iter_mut().zip(mask.chunks_exact(width)) {
                let gain = (row[column] / self.neutral).max(f32::MIN_POSITIVE);
                *sum_db += (20.0 * gain.log10()).max(LOWEST_DB);
            }
            self.columns += 1;
            if self.columns == self.columns_per_reading {
                self.read();
            }
        }
    }

    fn read(&mut self) {
        let mut gains_db = [[[0.0; MOST_BANDS]; PARTS]; Stem::COUNT];
        let mut filters = [[[0.0_f32; MOST_BANDS]; PARTS]; Stem::COUNT];
        for (&(stem, part, band), sum_db) in self.layout.places.iter().zip(&self.sums_db) {
            gains_db[stem][part][band] += sum_db / self.columns as f32;
            filters[stem][part][band] += 1.0;
        }
        for (gain_db, filters) in gains_db
            .as_flattened_mut()
            .as_flattened_mut()
            .iter_mut()
            .zip(filters.as_flattened().as_flattened())
        {
            *gain_db /= filters.max(1.0);
        }
        if self.readings.len() == MOST_READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back(MaskReading { gains_db });
        self.restart();
    }

    /// Whether there are no readings to take.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    /// Readings since this was asked last, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = MaskReading> {
        self.readings.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two bands of every part, in the order of a bank of middles and sides.
    fn layout() -> MaskLayout {
        let places = (0..16).map(|filter| (filter / 4, filter / 2 % 2, filter % 2)).collect();
        MaskLayout { bands_hz: vec![300.0, 3_000.0], places }
    }

    #[test]
    fn masks_are_read_in_decibels_from_neutral_while_somebody_looks() {
        // One column a tenth of a second: three columns, of which the middle one counts.
        let mut meter = MaskMeter::new(layout(), 0.5, 10.0);
        let mask: Vec<f32> = (0..16).flat_map(|n| [9.0, if n == 6 { 1.0 } else { 0.5 }, 9.0]).collect();
        meter.take(&mask, 1..2);
        assert_eq!(meter.drain().count(), 0, "nobody looks");
        meter.turn(true);
        meter.take(&mask, 1..2);
        let readings: Vec<MaskReading> = meter.drain().collect();
        let [reading] = readings[..] else { panic!("{readings:?}") };
        // Filter 6 is the bass's side, lower band.
        assert!((reading.gains_db[1][1][0] - 6.02).abs() < 0.01, "{reading:?}");
        let others = reading.gains_db.iter().flatten().flatten().filter(|gain_db| **gain_db != 0.0);
        assert_eq!(others.count(), 1);
        (0..300).for_each(|_| meter.take(&mask, 1..2));
        assert_eq!(meter.drain().count(), MOST_READINGS, "what nobody takes does not grow");
    }

    #[test]
    fn a_reading_is_a_mean_over_its_time_and_shut_masks_are_bounded() {
        let mut meter = MaskMeter::new(layout(), 1.0, 20.0);
        meter.turn(true);
        let mask: Vec<f32> = (0..16).flat_map(|_| [0.0, 1.0]).collect();
        meter.take(&mask, 0..1);
        assert_eq!(meter.drain().count(), 0);
        meter.take(&mask, 1..2);
        let reading = meter.drain().next().expect("two columns are a tenth of a second");
        assert_eq!(reading.gains_db[0][0][0], LOWEST_DB / 2.0);
    }
}
