//! Standard measurements of finished audio for the reports: integrated loudness and true peak (ITU-R BS.1770-4, EBU R 128).
//!
//! These are the numbers a listener's own meter shows. The loudness inside Fx-normalization is the published method's
//! and lives in `tributary-dsp`.

use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};
use tributary_dsp::StereoBuffer;

/// Loudness and peak of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Loudness {
    /// Integrated loudness in LUFS; none for silence (nothing above the absolute gate of −70 LUFS).
    pub integrated_lufs: Option<f64>,
    /// The higher channel's true peak in dBTP; none for digital silence.
    pub true_peak_dbtp: Option<f64>,
}

/// Loudness and sample peak of a stem: what a report over thousands of stems can afford.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct StemLevel {
    /// Integrated loudness in LUFS; none for silence.
    pub integrated_lufs: Option<f64>,
    /// The higher channel's largest sample in dBFS; none for digital silence.
    pub peak_dbfs: Option<f64>,
}

/// Measures a stem without oversampling; the true peak would cost as much as normalizing it.
///
/// # Errors
/// The rate is out of the meter's range.
pub fn stem_level(audio: &StereoBuffer, sample_rate_hz: u32) -> Result<StemLevel> {
    let mut meter = meter(sample_rate_hz, Mode::I)?;
    meter.add_frames_planar_f32(&[&audio.left, &audio.right])?;
    let peak_dbfs = 20.0 * f64::from(audio.peak()).log10();
    Ok(StemLevel { integrated_lufs: finite(meter.loudness_global()?), peak_dbfs: finite(peak_dbfs) })
}

/// Measures a finished mix.
///
/// # Errors
/// The rate is out of the meter's range.
pub fn loudness(audio: &StereoBuffer, sample_rate_hz: u32) -> Result<Loudness> {
    let mut meter = meter(sample_rate_hz, Mode::I | Mode::TRUE_PEAK)?;
    meter.add_frames_planar_f32(&[&audio.left, &audio.right])?;
    let peak = meter.true_peak(0)?.max(meter.true_peak(1)?);
    Ok(Loudness {
        integrated_lufs: finite(meter.loudness_global()?),
        true_peak_dbtp: finite(20.0 * peak.log10()),
    })
}

fn meter(sample_rate_hz: u32, mode: Mode) -> Result<EbuR128> {
    EbuR128::new(2, sample_rate_hz, mode)
        .with_context(|| format!("cannot measure loudness at {sample_rate_hz} Hz"))
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_measures_as_the_standard_says_and_silence_as_nothing() {
        let rate_hz = 48_000;
        let sine: Vec<f32> = (0..rate_hz * 4)
            .map(|n| 0.1 * (std::f64::consts::TAU * 997.0 * f64::from(n) / f64::from(rate_hz)).sin() as f32)
            .collect();
        let audio = StereoBuffer { left: sine.clone(), right: sine };
        let measured = loudness(&audio, rate_hz).expect("measures");
        // A 997 Hz sine at −20 dBFS in both channels reads −20 LUFS (BS.1770-4: −3.01 for one channel at 0 dBFS).
        assert!((measured.integrated_lufs.expect("audible") + 20.0).abs() < 0.05, "{measured:?}");
        assert!((measured.true_peak_dbtp.expect("audible") + 20.0).abs() < 0.1, "{measured:?}");
        let silence = StereoBuffer { left: vec![0.0; 48_000], right: vec![0.0; 48_000] };
        let measured = loudness(&silence, rate_hz).expect("measures");
        assert_eq!((measured.integrated_lufs, measured.true_peak_dbtp), (None, None));
        let nothing = StemLevel { integrated_lufs: None, peak_dbfs: None };
        assert_eq!(stem_level(&silence, rate_hz).expect("measures"), nothing);
    }
}
