//! The list of all figures: key, title, unit and family. Reports, tables and the documentation's test read it, so that a
//! figure cannot exist in one of them only.

use serde::Serialize;

/// What one figure is. Definitions with their sources are in `docs/evaluation.md`, under the same key.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Metric {
    /// Name in JSON and CSV; carries the unit.
    pub key: &'static str,
    /// For tables.
    pub title: &'static str,
    /// Unit of value and distance, empty for ratios.
    pub unit: &'static str,
    /// Which part of a mix it looks at.
    pub family: Family,
    /// Decimals worth printing.
    pub decimals: usize,
}

/// The parts of a mix that are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The seven columns of the verdict.
    Headline,
    /// Spectrum of middle and side over the song.
    Tone,
    /// Width, balance between left and right, the low end.
    Stereo,
    /// Loudness and peaks as delivered.
    Loudness,
    /// Frame-by-frame spectra.
    Distance,
    /// How much the mix changes over the song.
    Drift,
    /// Level of each stem in the mix.
    Balance,
    /// Level of each stem over the others, second by second.
    Audibility,
    /// What sounds on after onsets.
    Space,
    /// The set published with FxNorm-Automix.
    Published,
}

impl Family {
    /// In the order of reports.
    pub const ALL: [Family; 10] = [
        Family::Headline,
        Family::Tone,
        Family::Stereo,
        Family::Loudness,
        Family::Distance,
        Family::Drift,
        Family::Balance,
        Family::Audibility,
        Family::Space,
        Family::Published,
    ];

    /// For tables.
    pub fn title(self) -> &'static str {
        match self {
            Family::Headline => "Verdict",
            Family::Tone => "Tone",
            Family::Stereo => "Stereo",
            Family::Loudness => "Loudness and peaks",
            Family::Distance => "Spectral distances",
            Family::Drift => "Style drift",
            Family::Balance => "Balance of the stems",
            Family::Audibility => "Audibility of the stems over time",
            Family::Space => "Space",
            Family::Published => "The published set",
        }
    }
}

const fn row(
    family: Family,
    key: &'static str,
    title: &'static str,
    unit: &'static str,
    decimals: usize,
) -> Metric {
    Metric { key, title, unit, family, decimals }
}

/// All figures, in the order of reports.
pub const CATALOG: [Metric; 98] = {
    use Family::{Audibility, Balance, Distance, Drift, Headline, Loudness, Published, Space, Stereo, Tone};
    [
        row(Headline, "tone_db", "Tone", "dB", 2),
        row(Headline, "side_db", "Side", "dB", 2),
        row(Headline, "width_db", "Width", "dB", 1),
        row(Headline, "psr_lu", "Dynamics", "LU", 2),
        row(Headline, "panning_error", "Panning", "", 3),
        row(Headline, "published_spectral", "Spectral", "", 3),
        row(Headline, "stft_error", "STFT", "", 3),
        row(Tone, "tone_low_db", "Tone below 250 Hz", "dB", 2),
        row(Tone, "tone_middle_db", "Tone 250 Hz to 4 kHz", "dB", 2),
        row(Tone, "tone_high_db", "Tone above 4 kHz", "dB", 2),
        row(Tone, "tilt_db_per_octave", "Spectral tilt", "dB/oct", 2),
        row(Tone, "side_low_db", "Side below 250 Hz", "dB", 2),
        row(Tone, "side_middle_db", "Side 250 Hz to 4 kHz", "dB", 2),
        row(Tone, "side_high_db", "Side above 4 kHz", "dB", 2),
        row(Stereo, "imbalance_db", "Left over right", "dB", 2),
        row(Stereo, "correlation", "Correlation of left and right", "", 3),
        row(Stereo, "placement_error", "Placement error", "", 3),
        row(Stereo, "low_end_side_db", "Side over mid below 120 Hz", "dB", 1),
        row(Loudness, "integrated_lufs", "Integrated loudness", "LUFS", 1),
        row(Loudness, "true_peak_dbtp", "True peak", "dBTP", 1),
        row(Loudness, "range_lu", "Loudness range (LRA)", "LU", 1),
        row(Loudness, "plr_lu", "Peak to loudness (PLR)", "LU", 1),
        row(Loudness, "short_term_max_lufs", "Loudest 3 s", "LUFS", 1),
        row(Loudness, "momentary_max_lufs", "Loudest 400 ms", "LUFS", 1),
        row(Loudness, "match_gain_db", "Gain to match the loudness", "dB", 1),
        row(Distance, "loss_a", "Stereo-invariant loss La", "", 3),
        row(Distance, "loss_b", "Stereo-invariant loss Lb", "", 3),
        row(Distance, "stft_mid_error", "STFT of mid, convergence", "", 3),
        row(Distance, "stft_side_error", "STFT of side, convergence", "", 3),
        row(Distance, "stft_mid_db", "STFT of mid, log magnitude", "dB", 2),
        row(Distance, "stft_side_db", "STFT of side, log magnitude", "dB", 2),
        row(Drift, "style_drift_db", "Style drift", "dB", 2),
        row(Drift, "tone_drift_db", "Drift of tone", "dB", 2),
        row(Drift, "width_drift_db", "Drift of width", "dB", 2),
        row(Drift, "level_drift_db", "Drift of level", "dB", 2),
        row(Drift, "wander_db", "Own wander", "dB", 2),
        row(Balance, "balance_lu", "Balance, mean over stems", "LU", 1),
        row(Balance, "vocals_lu", "Vocals in the mix", "LU", 1),
        row(Balance, "bass_lu", "Bass in the mix", "LU", 1),
        row(Balance, "drums_lu", "Drums in the mix", "LU", 1),
        row(Balance, "other_lu", "Other in the mix", "LU", 1),
        row(Audibility, "audibility_db", "Audibility, mean over stems and regions", "dB", 1),
        row(Audibility, "vocals_audibility_low_db", "Vocals over the others, below 250 Hz", "dB", 1),
        row(Audibility, "vocals_audibility_middle_db", "Vocals over the others, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "vocals_audibility_high_db", "Vocals over the others, above 4 kHz", "dB", 1),
        row(Audibility, "bass_audibility_low_db", "Bass over the others, below 250 Hz", "dB", 1),
        row(Audibility, "bass_audibility_middle_db", "Bass over the others, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "bass_audibility_high_db", "Bass over the others, above 4 kHz", "dB", 1),
        row(Audibility, "drums_audibility_low_db", "Drums over the others, below 250 Hz", "dB", 1),
        row(Audibility, "drums_audibility_middle_db", "Drums over the others, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "drums_audibility_high_db", "Drums over the others, above 4 kHz", "dB", 1),
        row(Audibility, "other_audibility_low_db", "Other over the others, below 250 Hz", "dB", 1),
        row(Audibility, "other_audibility_middle_db", "Other over the others, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "other_audibility_high_db", "Other over the others, above 4 kHz", "dB", 1),
        row(Audibility, "vocals_covered_low_db", "Vocals where covered most, below 250 Hz", "dB", 1),
        row(Audibility, "vocals_covered_middle_db", "Vocals where covered most, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "vocals_covered_high_db", "Vocals where covered most, above 4 kHz", "dB", 1),
        row(Audibility, "bass_covered_low_db", "Bass where covered most, below 250 Hz", "dB", 1),
        row(Audibility, "bass_covered_middle_db", "Bass where covered most, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "bass_covered_high_db", "Bass where covered most, above 4 kHz", "dB", 1),
        row(Audibility, "drums_covered_low_db", "Drums where covered most, below 250 Hz", "dB", 1),
        row(Audibility, "drums_covered_middle_db", "Drums where covered most, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "drums_covered_high_db", "Drums where covered most, above 4 kHz", "dB", 1),
        row(Audibility, "other_covered_low_db", "Other where covered most, below 250 Hz", "dB", 1),
        row(Audibility, "other_covered_middle_db", "Other where covered most, 250 Hz to 4 kHz", "dB", 1),
        row(Audibility, "other_covered_high_db", "Other where covered most, above 4 kHz", "dB", 1),
        row(Audibility, "audibility_judged", "Share of the song judged", "", 2),
        row(Space, "late_early_db", "Late over early energy", "dB", 1),
        row(Space, "decay_error", "Decay, mean over octaves", "oct", 2),
        row(Space, "decay_125_s", "Decay at 125 Hz", "s", 2),
        row(Space, "decay_250_s", "Decay at 250 Hz", "s", 2),
        row(Space, "decay_500_s", "Decay at 500 Hz", "s", 2),
        row(Space, "decay_1000_s", "Decay at 1 kHz", "s", 2),
        row(Space, "decay_2000_s", "Decay at 2 kHz", "s", 2),
        row(Space, "decay_4000_s", "Decay at 4 kHz", "s", 2),
        row(Space, "decay_8000_s", "Decay at 8 kHz", "s", 2),
        row(Published, "published_loudness", "Loudness", "", 3),
        row(Published, "published_peak", "Peak", "", 3),
        row(Published, "published_centroid", "Spectral centroid", "", 3),
        row(Published, "published_bandwidth", "Spectral bandwidth", "", 3),
        row(Published, "published_contrast_low", "Spectral contrast, low", "", 3),
        row(Published, "published_contrast_middle", "Spectral contrast, middle", "", 3),
        row(Published, "published_contrast_high", "Spectral contrast, high", "", 3),
        row(Published, "published_rolloff", "Spectral roll-off", "", 3),
        row(Published, "published_flatness", "Spectral flatness", "", 3),
        row(Published, "published_panning_total", "Panning RMS, all", "", 3),
        row(Published, "published_panning_low", "Panning RMS, 0–250 Hz", "", 3),
        row(Published, "published_panning_middle", "Panning RMS, 250–2500 Hz", "", 3),
        row(Published, "published_panning_high", "Panning RMS, above 2500 Hz", "", 3),
        row(Published, "published_panning", "Panning, overall", "", 3),
        row(Published, "published_rms", "RMS level", "", 3),
        row(Published, "published_spread", "Dynamic spread", "", 3),
        row(Published, "published_crest", "Crest factor", "", 3),
        row(Published, "published_dynamic", "Dynamic, overall", "", 3),
        row(Published, "published_low_frequency", "Low-frequency ratio", "", 3),
        row(Published, "published_low_frequency_mse", "Low-frequency ratio, MSE", "", 3),
        row(Published, "published_l1", "Samples, L1", "", 4),
        row(Published, "published_l2", "Samples, L2", "", 5),
    ]
};

/// Finds a figure's description.
pub fn metric(key: &str) -> Option<&'static Metric> {
    static LIST: &[Metric] = &CATALOG;
    LIST.iter().find(|metric| metric.key == key)
}

/// The seven columns of the verdict.
pub fn headline() -> impl Iterator<Item = &'static Metric> {
    of_family(Family::Headline)
}

/// All figures of a family.
pub fn of_family(family: Family) -> impl Iterator<Item = &'static Metric> {
    static LIST: &[Metric] = &CATALOG;
    LIST.iter().filter(move |metric| metric.family == family)
}

/// One measured figure of one mix. Pure distances have no value of their own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// Key in [`CATALOG`].
    pub key: &'static str,
    /// Of the mix.
    pub mix: Option<f64>,
    /// Of the human mix.
    pub reference: Option<f64>,
    /// How far apart; 0 for the human mix itself.
    pub distance: Option<f64>,
}

impl Figure {
    /// A distance between two mixes that neither has alone.
    pub fn distance(key: &'static str, distance: f64) -> Self {
        let distance = distance.is_finite().then_some(distance);
        Self { key, mix: None, reference: None, distance }
    }

    /// A distance that may not exist, as with a silent reference.
    pub fn maybe(key: &'static str, distance: Option<f64>) -> Self {
        Self { key, mix: None, reference: None, distance: distance.filter(|value| value.is_finite()) }
    }

    /// A value of both; the distance is the absolute difference.
    pub fn value(key: &'static str, reference: f64, mix: f64) -> Self {
        Self::values(key, Some(reference), Some(mix))
    }

    /// As [`Self::value`], where either may be missing or infinite.
    pub fn values(key: &'static str, reference: Option<f64>, mix: Option<f64>) -> Self {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let (reference, mix) = (finite(reference), finite(mix));
        let distance = reference.zip(mix).map(|(reference, mix)| (mix - reference).abs());
        Self { key, mix, reference, distance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_the_verdict_has_seven_columns() {
        let mut keys: Vec<&str> = CATALOG.iter().map(|metric| metric.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), CATALOG.len());
        assert_eq!(headline().count(), 7);
    }

    #[test]
    fn what_cannot_be_measured_has_no_distance() {
        assert_eq!(Figure::value("width_db", -8.0, -10.5).distance, Some(2.5));
        assert_eq!(Figure::value("width_db", f64::NEG_INFINITY, -10.5).distance, None);
        assert_eq!(Figure::distance("loss_a", f64::NAN).distance, None);
    }
}
