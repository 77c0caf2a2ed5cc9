//! Parity with the published code: golden vectors made by running it (../shared/golden, its README explains each file).
//! They are too large for the repository; `vectors.rs` proves the essentials on small ones that every clone has.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its vectors must stop")]

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tributary_dsp::analysis::onsets::onsets;
use tributary_dsp::analysis::{loudness, similarity};
use tributary_dsp::effects::dynamics::measure as measure_peaks;
use tributary_dsp::effects::equalization::{self, FilterDesigner};
use tributary_dsp::effects::panning::{Limits, PanningMatcher, measure_side};
use tributary_dsp::profile::PanningCorrection;
use tributary_dsp::targets::Curve;
use tributary_dsp::{
    Context, EffectName, Recipe, RecipeKind, Sides, Stem, StereoBuffer, Targets, normalize_stem, stream,
};

const RATE_HZ: f64 = 44_100.0;
const PADDING_FRAMES: usize = 65_536;
/// First frames of the excerpts w0, w1 and w2.
const WINDOWS: [usize; 3] = [0, 220_500, 496_125];

fn golden() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: ../shared/golden absent");
    None
}

/// Arrays of one .npz archive as f64, flattened.
fn arrays(path: &Path) -> HashMap<String, Vec<f64>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut result = HashMap::new();
    for index in 0..archive.len() {
        let mut bytes = Vec::new();
        let mut entry = archive.by_index(index).unwrap();
        entry.read_to_end(&mut bytes).unwrap();
        let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
        let data = &bytes[start..];
        let values = if header.contains("<f4") {
            data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
        } else if header.contains("<f8") {
            data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
        } else if header.contains("<i8") {
            data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect()
        } else {
            panic!("unexpected array {header}")
        };
        result.insert(entry.name().trim_end_matches(".npy").to_owned(), values);
    }
    result
}

fn read_wav(path: &Path) -> StereoBuffer {
    let mut reader = hound::WavReader::open(path).unwrap();
    let samples: Vec<f32> = match reader.spec().sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(Result::unwrap).collect(),
        hound::SampleFormat::Int => {
            reader.samples::<i16>().map(|x| f32::from(x.unwrap()) / 32_768.0).collect()
        }
    };
    let side = |channel: usize| samples.iter().skip(channel).step_by(2).copied().collect();
    StereoBuffer { left: side(0), right: side(1) }
}

fn targets(folder: &Path) -> Targets {
    let smoothed = arrays(&folder.join("target_features_smoothed.npz"));
    let mut targets = Targets::default();
    for stem in Stem::ALL {
        let get = |feature: &str| smoothed[&format!("{feature}_{}", stem.name())].clone();
        let averages = targets.stem_mut(stem);
        averages.loudness_lufs = get("loudness")[0];
        averages.peak_db = get("compression")[0];
        averages.peak_std_db = get("compression")[1];
        let bins = get("eq").iter().map(|magnitude| 20.0 * magnitude.log10()).collect();
        averages.spectrum = Curve::Bins { bins };
        averages.phi = Curve::Bins { bins: get("panning") };
    }
    targets
}

/// (file name, kind of stem)
const FILES: [(&str, Stem); 5] = [
    ("vocals", Stem::Vocals),
    ("drums", Stem::Drums),
    ("bass", Stem::Bass),
    ("other", Stem::Other),
    ("mono_vocals", Stem::Vocals),
];

fn largest(pairs: impl Iterator<Item = f64>) -> f64 {
    pairs.fold(0.0, f64::max)
}

/// Prints one line of the error table and tells whether the tolerance is met.
fn row(name: &str, what: &str, error: f64, tolerance: f64) -> bool {
    let verdict = if error <= tolerance { "" } else { "  <- beyond" };
    eprintln!("{name:12} {what:28} {error:10.2e}  (tolerance {tolerance:.0e}){verdict}");
    error <= tolerance
}

#[test]
fn features_equal_the_published_code() {
    let Some(folder) = golden() else { return };
    let targets = targets(&folder);
    let mut passed = true;
    for (name, stem) in FILES {
        let mut audio = read_wav(&folder.join(format!("stem_{name}.wav")));
        let wanted = arrays(&folder.join(format!("arrays_{name}.npz")));
        let kind = RecipeKind::Published;
        // The archive's loudness is that of the cropped output of the loudness effect: no padding is measured.
        let matched =
            normalize_stem(stem, &audio, &Recipe::published().only(EffectName::Loudness), &targets, RATE_HZ);
        let mut matched = matched.unwrap().0;
        let lufs = loudness::measure(&mut matched, Sides::Both, RecipeKind::Paper, RATE_HZ).unwrap().unwrap();
        passed &= row(name, "loudness LU", (lufs - wanted["loudness_lufs"][0]).abs(), 0.01);
        let spectrum = equalization::measure(&mut audio, kind, RATE_HZ).unwrap();
        passed &= row(name, "spectrum relative", spectrum_error(&spectrum, &wanted["eq_avg_spectrum"]), 1e-4);
        let phi = similarity::measure_phi(&mut audio, kind).unwrap();
        let phi_error =
            largest(phi.iter().zip(&wanted["panning_phi_mean_65536"]).map(|(a, b)| (a - b).abs()));
        passed &= row(name, "phi", phi_error, 1e-3);
        let peaks = measure_peaks(&mut audio, RATE_HZ).unwrap().unwrap();
        let peaks_error =
            largest(peaks.iter().zip(&wanted["compression_peak_std"]).map(|(a, b)| (a - b).abs()));
        passed &= row(name, "peak mean, std dB", peaks_error, 0.02);
        let scale = 10f32.powf(-0.5) / audio.peak();
        for (channel, side) in [&audio.left, &audio.right].into_iter().enumerate() {
            let side: Vec<f32> = side.iter().map(|sample| sample * scale).collect();
            let found = onsets(&side, RATE_HZ);
            let expected = &wanted[&format!("onsets_ch{channel}_padded_pos")];
            assert_eq!(found.len(), expected.len(), "{name}: {found:?} {expected:?}");
            let offset = PADDING_FRAMES as f64;
            let distance = largest(found.iter().zip(expected).map(|(a, b)| (*a as f64 + offset - b).abs()));
            passed &= row(name, "onset frames", distance, 4.0);
        }
        let side = measure_side(&mut audio, RATE_HZ).unwrap();
        passed &= row(name, "side", (side - wanted["pan_side"][0]).abs(), 0.0);
    }
    assert!(passed, "see the table above");
}

fn spectrum_error(actual: &[f64], wanted: &[f64]) -> f64 {
    let floor = largest(wanted.iter().copied()) * 1e-3;
    largest(actual.iter().zip(wanted).filter(|(_, w)| **w > floor).map(|(a, w)| (a / w - 1.0).abs()))
}

#[test]
fn filters_equal_the_published_code() {
    let Some(folder) = golden() else { return };
    let targets = targets(&folder);
    let mut passed = true;
    for (name, stem) in FILES {
        let mut audio = read_wav(&folder.join(format!("stem_{name}.wav")));
        let wanted = arrays(&folder.join(format!("arrays_{name}.npz")));
        let context = Context {
            stem,
            kind: RecipeKind::Published,
            target: Arc::new(targets.stem(stem).clone()),
            tolerance: 0.0,
            sample_rate_hz: RATE_HZ,
        };
        let correction = equalization::correction(&mut audio, &context).unwrap();
        for channel in 0..2 {
            let mut designer = FilterDesigner::new();
            let taps = designer.single_pass(&correction.curves_db[channel], 1.0);
            let fir = &wanted[&format!("eq_ch{channel}_fir1001")];
            let error = largest(taps.iter().zip(fir).map(|(a, b)| (a - b).abs()));
            passed &= row(name, "FIR taps", error, 1e-5);
        }
    }
    assert!(passed, "see the table above");
}

/// Largest difference over the excerpts, and of block RMS over the whole file.
fn audio_errors(folder: &Path, name: &str, effect: &str, audio: &StereoBuffer) -> (f64, f64) {
    let mut worst = 0f64;
    for (index, start) in WINDOWS.into_iter().enumerate() {
        let path = folder.join(format!("excerpts/{name}__{effect}__w{index}.wav"));
        if path.is_file() {
            let excerpt = read_wav(&path);
            for (actual, wanted) in [(&audio.left, &excerpt.left), (&audio.right, &excerpt.right)] {
                let pairs = actual[start..].iter().zip(wanted);
                worst = worst.max(largest(pairs.map(|(a, b)| f64::from((a - b).abs()))));
            }
        }
    }
    let wanted = arrays(&folder.join(format!("arrays_{name}.npz")));
    let Some(rms) = wanted.get(&format!("{effect}_blockrms1024")) else { return (worst, 0.0) };
    let sides = [&audio.left, &audio.right];
    let pairs = (0..audio.frames() / 1024).flat_map(|block| {
        let side_error = move |channel: usize| {
            let power: f64 =
                sides[channel][block * 1024..(block + 1) * 1024].iter().map(|x| f64::from(x * x)).sum();
            ((power / 1024.0).sqrt() - rms[block * 2 + channel]).abs()
        };
        [side_error(0), side_error(1)]
    });
    (worst, largest(pairs))
}

#[test]
fn matchers_and_chain_equal_the_published_code() {
    let Some(folder) = golden() else { return };
    let targets = targets(&folder);
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("summary.json")).unwrap()).unwrap();
    let effects = [
        ("eq", Some(EffectName::Equalization), 1e-4),
        ("compression", Some(EffectName::Dynamics), 1e-4),
        ("panning", Some(EffectName::Panning), 1e-3),
        ("loudness", Some(EffectName::Loudness), 1e-4),
        ("chain", None, 2e-3),
    ];
    let mut passed = true;
    for (name, stem) in FILES {
        let audio = read_wav(&folder.join(format!("stem_{name}.wav")));
        for (effect, only, tolerance) in effects {
            let recipe = only.map_or(Recipe::published(), |effect| Recipe::published().only(effect));
            let (output, profile) = normalize_stem(stem, &audio, &recipe, &targets, RATE_HZ).unwrap();
            assert_eq!(output.frames(), audio.frames());
            let (excerpts, rms) = audio_errors(&folder, name, effect, &output);
            passed &= row(name, &format!("{effect} excerpts"), excerpts, tolerance);
            passed &= row(name, &format!("{effect} block rms"), rms, tolerance);
            let Some(dynamics) = profile.dynamics else { continue };
            let log = &summary[format!("{name}/{effect}")]["last_iter_per_ch"];
            for (channel, setting) in dynamics.compressor.into_iter().enumerate() {
                let setting = setting.unwrap();
                let found = format!("{:.1} {:.1} ", setting.ratio, setting.threshold_db);
                assert!(log[channel].as_str().unwrap().starts_with(&found), "{name} {effect}: {found} {log}");
            }
        }
    }
    assert!(passed, "see the table above");
}

/// The published code with its frequency limit put right, which the paper rules follow (their bound on gains apart).
#[test]
fn panning_limited_on_frequencies_equals_the_repaired_code() {
    let Some(folder) = golden() else { return };
    let targets = targets(&folder);
    let mut passed = true;
    for (name, stem) in FILES.into_iter().filter(|(name, _)| *name != "mono_vocals") {
        let mut audio = read_wav(&folder.join(format!("stem_{name}.wav")));
        let side = measure_side(&mut audio, RATE_HZ).unwrap();
        let limits = Limits { gain: f32::INFINITY, ..Limits::of(RecipeKind::Paper, stem, RATE_HZ) };
        let correction = PanningCorrection { side, balance_db: 0.0 };
        let mut matcher = PanningMatcher::fixed(Some(&correction), targets.stem(stem), 1.0, limits, RATE_HZ);
        stream(&mut audio, 1, |hop| matcher.process(hop)).unwrap();
        let (excerpts, _) = audio_errors(&folder, name, "panning_freqlimit_fixed", &audio);
        passed &= row(name, "panning by frequency", excerpts, 1e-3);
    }
    assert!(passed, "see the table above");
}
