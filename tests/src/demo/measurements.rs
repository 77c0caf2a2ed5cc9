//! The figures of one pass: what the plug-in reports of itself, and what the host measures without it.
//!
//! Stands apart so that the table and the JSON cannot disagree.

use anyhow::Result;
use clap_host::Bus;
use clap_host::contribution::contributions;
use clap_host::loudness::{integrated_lufs, true_peak_dbtp};
use serde_json::{Value, json};
use tributary_audio_io::song::Song;
use tributary_dsp::Stem;

use crate::run::Mixed;

/// What is known of one stem.
pub struct StemFigures {
    /// Which stem.
    pub stem: Stem,
    /// Integrated loudness of what the host played, in LUFS; `None` for silence.
    pub played_lufs: Option<f64>,
    /// Integrated loudness after normalization as the plug-in reports it, in LUFS.
    pub normalized_lufs: Option<f64>,
    /// Gain with which the stem stands in the mix, both channels together, in dB; `None` for silence.
    pub gain_db: Option<f64>,
    /// Loudness of that part relative to the mix, in LU.
    pub relative_lu: Option<f64>,
}

/// All figures of one pass.
pub struct Measurements {
    /// One entry a stem.
    pub stems: Vec<StemFigures>,
    /// Integrated loudness of the mix, in LUFS.
    pub mix_lufs: Option<f64>,
    /// True peak of the mix, in dBTP.
    pub mix_dbtp: Option<f64>,
    /// What no stem explains relative to the mix, in dB.
    pub unexplained_db: f64,
    /// Latency, in frames and in ms.
    pub latency: (usize, f64),
    /// Host rate, in Hz.
    pub rate_hz: u32,
    /// Length of the mix, in seconds.
    pub length_s: f64,
    /// Processing time divided by the time of the audio that was played.
    pub real_time_factor: f64,
    /// Hops that were not ready when due, as the plug-in reports them.
    pub underruns: Option<u64>,
}

impl Measurements {
    /// Measures a pass.
    ///
    /// # Errors
    /// When the rate is out of the loudness meter's range.
    pub fn new(song: &Song, mixed: &Mixed) -> Result<Self> {
        let rate_hz = song.sample_rate_hz;
        let explained = contributions(&mixed.audio, &mixed.mix, rate_hz)?;
        let reported = mixed.report.as_ref().map(|report| report.stems()).unwrap_or_default();
        let stems = explained.stems.iter().map(|contribution| {
            let stem = contribution.stem;
            let power = contribution.gains.iter().map(|gain| gain * gain).sum::<f64>() / 2.0;
            let report = reported.iter().find(|report| report.name == stem.name());
            Ok(StemFigures {
                stem,
                played_lufs: integrated_lufs(mixed.audio.bus(Bus::Stem(stem)), rate_hz)?,
                normalized_lufs: report.and_then(|report| report.after_lufs),
                gain_db: Some(10.0 * power.log10()).filter(|db| db.is_finite()),
                relative_lu: contribution.relative_lu,
            })
        });
        Ok(Self {
            stems: stems.collect::<Result<_>>()?,
            mix_lufs: integrated_lufs(&mixed.mix, rate_hz)?,
            mix_dbtp: true_peak_dbtp(&mixed.mix, rate_hz)?,
            unexplained_db: explained.residual_db,
            latency: (mixed.latency_frames, 1000.0 * mixed.latency_frames as f64 / f64::from(rate_hz)),
            rate_hz,
            length_s: song.frames as f64 / f64::from(rate_hz),
            real_time_factor: mixed.elapsed.as_secs_f64() / mixed.played_s,
            underruns: mixed.report.as_ref().and_then(|report| report.underruns()),
        })
    }

    /// The same figures as JSON; what could not be measured is null.
    pub fn to_json(&self) -> Value {
        let stems: Vec<Value> = self
            .stems
            .iter()
            .map(|figures| {
                json!({
                    "name": figures.stem.name(),
                    "played_lufs": figures.played_lufs,
                    "normalized_lufs": figures.normalized_lufs,
                    "gain_in_mix_db": figures.gain_db,
                    "relative_to_mix_lu": figures.relative_lu,
                })
            })
            .collect();
        json!({
            "stems": stems,
            "mix_lufs": self.mix_lufs,
            "mix_dbtp": self.mix_dbtp,
            "unexplained_db": self.unexplained_db,
            "latency_samples": self.latency.0,
            "latency_ms": self.latency.1,
            "sample_rate_hz": self.rate_hz,
            "length_s": self.length_s,
            "real_time_factor": self.real_time_factor,
            "underruns": self.underruns,
        })
    }
}
