//! Standard measurements of finished audio for the reports: integrated loudness and true peak (ITU-R BS.1770-4, EBU R 128).
//!
//! These are the numbers a listener's own meter shows. The loudness inside Fx-normalization is the published method's
//! and lives in `tributary-dsp`.

use anyhow::{Context, Result};
use ebur128::{EbuR128, Mode};

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

/// Measures audio piece by piece.
pub struct Meter {
    meter: EbuR128,
    peak: f32,
}

impl Meter {
    /// For a stem: without oversampling, since the true peak would cost as much as normalizing it.
    ///
    /// # Errors
    /// The rate is out of the meter's range.
    pub fn of_stem(sample_rate_hz: u32) -> Result<Self> {
        Ok(Self { meter: meter(sample_rate_hz, Mode::I)?, peak: 0.0 })
    }

    /// For a finished mix, with true peaks.
    ///
    /// # Errors
    /// The rate is out of the meter's range.
    pub fn of_mix(sample_rate_hz: u32) -> Result<Self> {
        Ok(Self { meter: meter(sample_rate_hz, Mode::I | Mode::TRUE_PEAK)?, peak: 0.0 })
    }

    /// Takes in the next piece.
    ///
    /// # Errors
    /// The meter's reason.
    pub fn add(&mut self, left: &[f32], right: &[f32]) -> Result<()> {
        self.meter.add_frames_planar_f32(&[left, right])?;
        self.peak = left.iter().chain(right).fold(self.peak, |peak, sample| peak.max(sample.abs()));
        Ok(())
    }

    /// Largest sample so far, linear.
    pub fn peak(&self) -> f32 {
        self.peak
    }

    /// What was measured of a stem.
    ///
    /// # Errors
    /// The meter's reason.
    pub fn stem_level(&self) -> Result<StemLevel> {
        let peak_dbfs = 20.0 * f64::from(self.peak).log10();
        Ok(StemLevel { integrated_lufs: finite(self.meter.loudness_global()?), peak_dbfs: finite(peak_dbfs) })
    }

    /// What was measured of a mix.
    ///
    /// # Errors
    /// The meter's reason.
    pub fn loudness(&self) -> Result<Loudness> {
        let peak = self.meter.true_peak(0)?.max(self.meter.true_peak(1)?);
        Ok(Loudness {
            integrated_lufs: finite(self.meter.loudness_global()?),
            true_peak_dbtp: finite(20.0 * peak.log10()),
        })
    }
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
        let mut meter = Meter::of_mix(rate_hz).expect("a usual rate");
        meter.add(&sine, &sine).expect("measures");
        let measured = meter.loudness().expect("measures");
        // A 997 Hz sine at −20 dBFS in both channels reads −20 LUFS (BS.1770-4: −3.01 for one channel at 0 dBFS).
        assert!((measured.integrated_lufs.expect("audible") + 20.0).abs() < 0.05, "{measured:?}");
        assert!((measured.true_peak_dbtp.expect("audible") + 20.0).abs() < 0.1, "{measured:?}");
        let silence = [0.0; 48_000];
        let mut meter = Meter::of_mix(rate_hz).expect("a usual rate");
        meter.add(&silence, &silence).expect("measures");
        let measured = meter.loudness().expect("measures");
        assert_eq!((measured.integrated_lufs, measured.true_peak_dbtp), (None, None));
        let nothing = StemLevel { integrated_lufs: None, peak_dbfs: None };
        assert_eq!(meter.stem_level().expect("measures"), nothing);
    }
}
