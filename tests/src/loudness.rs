//! Loudness and true peak of whole signals, after ITU-R BS.1770 and EBU R 128, by the `ebur128` crate.
//!
//! Stands apart so that the host's figures do not come from the plug-in it measures.

use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};

use crate::play::Stereo;

/// Integrated loudness in LUFS; `None` for silence and for what is too short or too quiet to pass the gate.
///
/// # Errors
/// When the rate is out of the meter's range.
pub fn integrated_lufs(audio: &Stereo, rate_hz: u32) -> Result<Option<f64>> {
    let meter = measure(audio, rate_hz, Mode::I)?;
    Ok(Some(meter.loudness_global()?).filter(|lufs| lufs.is_finite()))
}

/// True peak in dBTP; `None` for silence.
///
/// # Errors
/// When the rate is out of the meter's range.
pub fn true_peak_dbtp(audio: &Stereo, rate_hz: u32) -> Result<Option<f64>> {
    let meter = measure(audio, rate_hz, Mode::TRUE_PEAK)?;
    let peak = meter.true_peak(0)?.max(meter.true_peak(1)?);
    Ok(Some(20.0 * peak.log10()).filter(|db| db.is_finite()))
}

fn measure(audio: &Stereo, rate_hz: u32, mode: Mode) -> Result<EbuR128> {
    let mut meter = EbuR128::new(2, rate_hz, mode).context("the loudness meter does not take this rate")?;
    meter.add_frames_planar_f32(&audio.channels())?;
    Ok(meter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::sine;

    #[test]
    fn a_kilohertz_sine_reads_as_the_standard_says() {
        // EBU Tech 3341, case 1: a stereo 1 kHz sine of −23 dBFS reads −23 LUFS.
        let level = 10.0_f32.powf(-23.0 / 20.0);
        let tone = Stereo::centered(sine(48_000 * 5, level, 1000.0, 48_000.0));
        assert!((integrated_lufs(&tone, 48_000).unwrap().unwrap() + 23.0).abs() < 0.1);
        assert!((true_peak_dbtp(&tone, 48_000).unwrap().unwrap() + 23.0).abs() < 0.1);
        assert_eq!(integrated_lufs(&Stereo::silence(48_000), 48_000).unwrap(), None);
        assert_eq!(true_peak_dbtp(&Stereo::silence(48_000), 48_000).unwrap(), None);
    }
}
