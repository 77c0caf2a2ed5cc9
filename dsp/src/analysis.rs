//! What is measured of a stem whatever the effect: spectra, onsets and their peaks, similarity, loudness – and how running
//! estimates forget.

pub(crate) mod estimates;
pub(crate) mod hop_spectra;
pub mod loudness;
pub(crate) mod onset_peaks;
pub mod onsets;
pub mod similarity;
pub(crate) mod spectra;
