//! Centering: takes the constant part out of a stem, which bad converters leave and which costs headroom. Everything about
//! the effect is in this file.

use tributary_dsp::{Effect, HOP_FRAMES, Hop, StemStore, StoreError};

/// Time constant of the running estimate: long against the lowest note.
const ESTIMATE_SECONDS: f64 = 3.0;

/// Centering of one stem.
#[derive(Debug)]
pub struct Centering {
    amount: f32,
    /// Share of the newest hop in the running mean; `None` where the offset was found beforehand.
    newest: Option<f32>,
    start: [f32; 2],
    offset: [f32; 2],
}

impl Centering {
    /// Takes out what is found on the complete stem: nothing before that.
    pub fn fixed(amount: f32) -> Self {
        Self { amount, newest: None, start: [0.0; 2], offset: [0.0; 2] }
    }

    /// Takes out what has been heard lately.
    pub fn adaptive(amount: f32, sample_rate_hz: f64) -> Self {
        let newest = HOP_FRAMES as f64 / (ESTIMATE_SECONDS * sample_rate_hz);
        Self { newest: Some(newest as f32), ..Self::fixed(amount) }
    }
}

/// Mean of a complete stem, left and right.
pub fn mean(stem: &mut dyn StemStore) -> Result<[f32; 2], StoreError> {
    let mut sums = [0f64; 2];
    let mut hop = Hop::SILENT;
    for start in (0..stem.frames()).step_by(HOP_FRAMES) {
        let count = (stem.frames() - start).min(HOP_FRAMES);
        stem.read(start, &mut hop.left[..count], &mut hop.right[..count])?;
        for (sum, side) in sums.iter_mut().zip(hop.sides()) {
            *sum += side[..count].iter().map(|sample| f64::from(*sample)).sum::<f64>();
        }
    }
    Ok(sums.map(|sum| (sum / stem.frames().max(1) as f64) as f32))
}

impl Effect for Centering {
    fn name(&self) -> &'static str {
        "centering"
    }

    fn is_on(&self) -> bool {
        self.amount > 0.0
    }

    fn find(&mut self, stem: &mut dyn StemStore) -> Result<(), StoreError> {
        self.start = mean(stem)?;
        self.offset = self.start;
        Ok(())
    }

    fn process(&mut self, hop: &mut Hop) {
        for (side, offset) in hop.sides_mut().into_iter().zip(&mut self.offset) {
            if let Some(newest) = self.newest {
                let mean = side.iter().sum::<f32>() / HOP_FRAMES as f32;
                *offset += (mean - *offset) * newest;
            }
            side.iter_mut().for_each(|sample| *sample -= *offset * self.amount);
        }
    }

    /// Silence would come out as the offset's opposite.
    fn may_rest(&self) -> bool {
        self.offset == [0.0; 2]
    }

    fn reset(&mut self) {
        self.offset = self.start;
    }
}
