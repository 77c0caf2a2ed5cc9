//! The third octaves in which tone is judged.

/// Third octaves: 19.7 Hz to 20.2 kHz.
pub const THIRD_OCTAVES: usize = 31;
/// Position of the one at 1 kHz.
const AT_1_KHZ: f64 = 17.0;

/// Center of a third octave in Hz.
pub fn center_hz(band: usize) -> f64 {
    1000.0 * 2f64.powf((band as f64 - AT_1_KHZ) / 3.0)
}

/// Lower edge of a third octave in Hz; the upper one is the next band's.
pub fn edge_hz(band: usize) -> f64 {
    1000.0 * 2f64.powf((band as f64 - AT_1_KHZ - 0.5) / 3.0)
}
