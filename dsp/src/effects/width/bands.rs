//! The octave bands of width.

/// Octave bands in which width is measured and made: 62.5 Hz to 16 kHz. The published φ is smoothed over 340 Hz twice, so
/// finer bands would say no more.
pub const BANDS: usize = 9;
/// Center of the lowest band.
const LOWEST_CENTER_HZ: f64 = 62.5;

/// Center frequency of a band in Hz.
pub fn center_hz(band: usize) -> f64 {
    LOWEST_CENTER_HZ * 2f64.powi(band as i32)
}

/// Weight of a band at a frequency: overlapping raised cosines over the logarithm of frequency, which add up to one; the
/// outermost bands reach to the ends.
pub(crate) fn band_weight(band: usize, hz: f64) -> f64 {
    let position = (hz.max(1e-9) / LOWEST_CENTER_HZ).log2().clamp(0.0, (BANDS - 1) as f64);
    let distance = (position - band as f64).abs().min(1.0);
    0.5 * (1.0 + (std::f64::consts::PI * distance).cos())
}
