//! Parity vectors: input and output of a network as its author computed them. A model that is loaded must come to the same
//! output before it is used.

use crate::error::ModelError;

/// Input and expected output of a whole network, planar.
pub(crate) struct ParityVectors {
    pub(crate) frames: usize,
    /// Largest allowed absolute difference.
    pub(crate) tolerance: f64,
    /// (8, frames).
    pub(crate) input: Vec<f32>,
    /// (2, frames).
    pub(crate) output: Vec<f32>,
}

impl ParityVectors {
    /// Compares a result, (2, frames), with what the network's author got.
    pub(crate) fn compare(&self, mix: &[f32]) -> Result<(), ModelError> {
        let differences = mix.iter().zip(&self.output).map(|(a, b)| f64::from((a - b).abs()));
        // A NaN must not pass, so the largest difference is found with a comparison that NaN wins.
        let largest = differences.fold(0.0, |worst, d| if d <= worst { worst } else { d });
        if mix.len() == self.output.len() && largest <= self.tolerance {
            return Ok(());
        }
        Err(ModelError::Parity { largest, tolerance: self.tolerance })
    }
}
