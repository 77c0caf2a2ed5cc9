//! Data-set averages that every stem is brought to: versioned JSON, checked when read. A curve is either a list of
//! `[Hz, value]` points (interpolated over log-frequency) or the full resolution of the 65,536-point analysis.

use serde::{Deserialize, Serialize};

use crate::stem::Stem;

/// Version of the JSON this crate reads and writes.
pub const TARGETS_FORMAT: u32 = 1;

/// Bins of a full-resolution curve: a 65,536-point real transform at 44.1 kHz.
pub const FULL_BINS: usize = 32769;

/// Spacing of full-resolution bins in Hz.
pub const FULL_BIN_HZ: f64 = 44_100.0 / 65_536.0;

/// A value over frequency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Curve {
    /// `[Hz, value]` pairs, frequencies rising; constant beyond both ends.
    Points(Vec<[f64; 2]>),
    /// [`FULL_BINS`] values spaced by [`FULL_BIN_HZ`].
    Bins {
        /// The values.
        bins: Vec<f64>,
    },
}

impl Curve {
    /// The value at a frequency in Hz.
    pub fn at_hz(&self, hz: f64) -> f64 {
        match self {
            Curve::Points(points) => between_points(points, hz),
            Curve::Bins { bins } => between_bins(bins, hz / FULL_BIN_HZ),
        }
    }

    /// The values at `count` equally spaced frequencies from 0 Hz to `nyquist_hz`.
    pub fn grid(&self, count: usize, nyquist_hz: f64) -> Vec<f64> {
        let step_hz = nyquist_hz / (count.max(2) - 1) as f64;
        (0..count).map(|point| self.at_hz(point as f64 * step_hz)).collect()
    }

    fn check_spread(&self) -> Result<(), String> {
        self.check()?;
        let usable = match self {
            Curve::Points(points) => points.iter().all(|point| point[1] > 0.0),
            Curve::Bins { bins } => bins.iter().all(|value| *value > 0.0),
        };
        if usable { Ok(()) } else { Err("must be above 0 everywhere".into()) }
    }

    fn check(&self) -> Result<(), String> {
        let usable = match self {
            Curve::Points(points) => {
                if points.is_empty() {
                    return Err("has no points".into());
                }
                if !points.windows(2).all(|pair| pair[0][0] < pair[1][0]) || points[0][0] <= 0.0 {
                    return Err("must list positive, rising frequencies".into());
                }
                points.iter().flatten().all(|value| value.is_finite())
            }
            Curve::Bins { bins } if bins.len() != FULL_BINS => {
                return Err(format!("has {} bins where {FULL_BINS} belong", bins.len()));
            }
            Curve::Bins { bins } => bins.iter().all(|value| value.is_finite()),
        };
        if usable { Ok(()) } else { Err("holds a value that is no finite number".into()) }
    }
}

fn between_points(points: &[[f64; 2]], hz: f64) -> f64 {
    let above = points.partition_point(|point| point[0] <= hz);
    if above == 0 {
        return points.first().map_or(0.0, |point| point[1]);
    }
    let low = points[above - 1];
    let Some(high) = points.get(above) else { return low[1] };
    low[1] + (high[1] - low[1]) * (hz / low[0]).ln() / (high[0] / low[0]).ln()
}

fn between_bins(bins: &[f64], position: f64) -> f64 {
    // A grid step that is a whole number of bins must read that bin exactly, whatever the division left behind.
    let nearest = position.round();
    let position = if (position - nearest).abs() < 1e-6 { nearest } else { position };
    let last = bins.len() - 1;
    let low = (position.max(0.0) as usize).min(last);
    let high = (low + 1).min(last);
    bins[low] + (bins[high] - bins[low]) * (position - low as f64).clamp(0.0, 1.0)
}

/// Averages of one kind of stem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemTargets {
    /// Integrated loudness.
    pub loudness_lufs: f64,
    /// Mean of the loudest quarter of onset peaks, in dBFS of a signal whose peak is −10 dBFS.
    pub peak_db: f64,
    /// Their standard deviation, in dB.
    pub peak_std_db: f64,
    /// Mean magnitude of a 65,536-point sqrt-Hann transform of the stem at −30 LUFS, in dB.
    pub spectrum: Curve,
    /// Standard deviation of that between songs, in dB; a usual one where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectrum_spread_db: Option<Curve>,
    /// Left/right similarity, 0 (one side only) to 1 (center).
    pub phi: Curve,
}

/// Averages of all four stems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemsTargets {
    /// Vocals.
    pub vocals: StemTargets,
    /// Bass.
    pub bass: StemTargets,
    /// Drums.
    pub drums: StemTargets,
    /// Other.
    pub other: StemTargets,
}

/// Averages of a data set.
///
/// ```
/// use tributary_dsp::{Stem, Targets};
///
/// let mut targets = Targets::default();
/// targets.stem_mut(Stem::Vocals).loudness_lufs = -18.0;
/// let read = Targets::from_json(&targets.to_json())?;
/// assert_eq!(read.stem(Stem::Vocals).loudness_lufs, -18.0);
/// # Ok::<(), tributary_dsp::TargetsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Version, [`TARGETS_FORMAT`].
    pub format: u32,
    /// Name of the data set.
    #[serde(default)]
    pub name: String,
    /// Where the numbers come from and under which licence.
    #[serde(default)]
    pub source: String,
    /// Songs averaged; 0 when unknown.
    #[serde(default)]
    pub songs: u32,
    /// The averages.
    pub stems: StemsTargets,
}

/// Why targets cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TargetsError {
    /// Not JSON, or not of this shape.
    #[error("the targets cannot be read: {0}")]
    Syntax(String),
    /// Another version.
    #[error("the targets have format {actual}; this version reads format {TARGETS_FORMAT}")]
    Format {
        /// What the file says.
        actual: u32,
    },
    /// A number or curve that cannot be used.
    #[error("the targets of {stem}: {what} {problem}")]
    Value {
        /// Stem.
        stem: Stem,
        /// Field.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Targets {
    /// Reads and checks targets.
    ///
    /// # Errors
    /// Malformed text, another version, or values that cannot be used.
    pub fn from_json(text: &str) -> Result<Self, TargetsError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let syntax = |error: serde_json::Error| TargetsError::Syntax(error.to_string());
        // The version first: a later format may have any other shape.
        let Version { format } = serde_json::from_str(text).map_err(syntax)?;
        if format != TARGETS_FORMAT {
            return Err(TargetsError::Format { actual: format });
        }
        let targets: Self = serde_json::from_str(text).map_err(syntax)?;
        targets.validate()?;
        Ok(targets)
    }

    /// The same as indented JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Averages of one stem.
    pub fn stem(&self, stem: Stem) -> &StemTargets {
        match stem {
            Stem::Vocals => &self.stems.vocals,
            Stem::Bass => &self.stems.bass,
            Stem::Drums => &self.stems.drums,
            Stem::Other => &self.stems.other,
        }
    }

    /// Mutable averages of one stem.
    pub fn stem_mut(&mut self, stem: Stem) -> &mut StemTargets {
        match stem {
            Stem::Vocals => &mut self.stems.vocals,
            Stem::Bass => &mut self.stems.bass,
            Stem::Drums => &mut self.stems.drums,
            Stem::Other => &mut self.stems.other,
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn validate(&self) -> Result<(), TargetsError> {
        for stem in Stem::ALL {
            let averages = self.stem(stem);
            let value = |what, problem: String| TargetsError::Value { stem, what, problem };
            let levels = [
                ("loudness_lufs", averages.loudness_lufs, -100.0..=20.0),
                ("peak_db", averages.peak_db, -100.0..=20.0),
                ("peak_std_db", averages.peak_std_db, 0.0..=100.0),
            ];
            for (what, level, range) in levels {
                if !range.contains(&level) {
                    let problem =
                        format!("is {level}; it must lie between {} and {}", range.start(), range.end());
                    return Err(value(what, problem));
                }
            }
            if let Some(spread_db) = &averages.spectrum_spread_db {
                spread_db.check_spread().map_err(|problem| value("spectrum_spread_db", problem))?;
            }
            averages.spectrum.check().map_err(|problem| value("spectrum", problem))?;
            averages.phi.check().map_err(|problem| value("phi", problem))?;
        }
        Ok(())
    }
}

impl Default for Targets {
    /// The MUSDB18 averages as published with FxNorm-Automix (MIT; the file states the source).
    fn default() -> Self {
        Self::from_json(include_str!("../../assets/targets/musdb18.json"))
            .expect("the embedded targets are valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_targets_hold_the_published_levels() {
        let targets = Targets::default();
        // FxNorm-Automix features_MUSDB18.npy, loudness and compression entries.
        let published = [(-30.729, -14.241), (-29.727, -13.131), (-34.178, -13.479), (-31.172, -14.659)];
        for (stem, (loudness_lufs, peak_db)) in Stem::ALL.into_iter().zip(published) {
            assert!((targets.stem(stem).loudness_lufs - loudness_lufs).abs() < 1e-3);
            assert!((targets.stem(stem).peak_db - peak_db).abs() < 1e-3);
        }
        assert_eq!(Targets::from_json(&targets.to_json()), Ok(targets));
    }

    #[test]
    fn points_are_joined_over_log_frequency() {
        let curve = Curve::Points(vec![[100.0, 0.0], [400.0, 6.0]]);
        assert_eq!(curve.at_hz(0.0), 0.0);
        assert!((curve.at_hz(200.0) - 3.0).abs() < 1e-9);
        assert_eq!(curve.at_hz(20_000.0), 6.0);
    }

    #[test]
    fn full_bins_are_read_back_exactly_on_their_grid() {
        let curve = Curve::Bins { bins: (0..FULL_BINS).map(|bin| bin as f64).collect() };
        let grid = curve.grid(1025, 22_050.0);
        assert!(grid.iter().enumerate().all(|(point, value)| *value == (point * 32) as f64));
    }

    #[test]
    fn damaged_targets_are_refused_with_a_reason() {
        let text = Targets::default().to_json();
        let version = Targets::from_json(&text.replace("\"format\": 1", "\"format\": 2"));
        assert_eq!(version, Err(TargetsError::Format { actual: 2 }));
        assert!(matches!(Targets::from_json("{"), Err(TargetsError::Syntax(_))));
        assert!(Targets::from_json(&text.replace("\"phi\"", "\"fi\"")).is_err());
        let mut targets = Targets::default();
        targets.stems.bass.spectrum = Curve::Points(vec![[100.0, 1.0], [50.0, 1.0]]);
        assert!(matches!(
            targets.validate(),
            Err(TargetsError::Value { stem: Stem::Bass, what: "spectrum", .. })
        ));
        targets.stems.bass.spectrum = Curve::Bins { bins: vec![1.0; 3] };
        assert!(targets.validate().is_err());
    }
}
