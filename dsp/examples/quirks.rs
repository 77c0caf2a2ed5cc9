//! What each slip of the released code changes, measured on stems: every row runs the same audio by the published and by
//! the paper rules, differing in that one point as far as the pieces allow.
//!
//! `cargo run --release -p tributary-dsp --example quirks -- vocals stem.wav [bass other.wav …]` (16-bit or float WAV,
//! 44.1 kHz, stereo).

use std::error::Error;
use std::path::Path;

use tributary_dsp::analysis::{loudness, similarity};
use tributary_dsp::effects::equalization;
use tributary_dsp::effects::panning::{Limits, PanningMatcher, measure_side};
use tributary_dsp::profile::PanningCorrection;
use tributary_dsp::{
    EffectName, Recipe, RecipeKind, Sides, Stem, StereoBuffer, Targets, normalize_stem, stream,
};

const RATE_HZ: f64 = 44_100.0;
const KINDS: [RecipeKind; 2] = [RecipeKind::Published, RecipeKind::Paper];
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || !arguments.len().is_multiple_of(2) {
        return Err("usage: quirks STEM FILE.wav [STEM FILE.wav …]".into());
    }
    println!(
        "| stem | balance moved dB, published / paper | spectra differ by dB (third octaves), curve reaches dB | padding: LU, spectrum dB, φ | φ off the aim, frame / frequency limit | unbounded gain, dB |"
    );
    println!("|---|---|---|---|---|---|");
    for pair in arguments.chunks_exact(2) {
        let stem = Stem::from_name(&pair[0]).ok_or("STEM is vocals, bass, drums or other")?;
        let audio = read(&pair[1])?;
        let name = Path::new(&pair[1]).file_stem().unwrap_or_default().display();
        if audio.peak() < 0.004 {
            println!("| {name} | silent | | | | |");
            continue;
        }
        let [balance, spectra, padding, limits] =
            [balance(stem, &audio)?, spectra(stem, &audio)?, padding(&audio)?, panning(stem, &audio)?];
        println!("| {name} | {balance} | {spectra} | {padding} | {limits} |");
    }
    Ok(())
}

fn read(path: &str) -> Result<StereoBuffer> {
    let mut reader = hound::WavReader::open(path)?;
    let samples: Vec<f32> = match reader.spec().sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<std::result::Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let integers: Vec<i16> = reader.samples::<i16>().collect::<std::result::Result<_, _>>()?;
            integers.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect()
        }
    };
    let side = |side: usize| samples.iter().skip(side).step_by(2).copied().collect();
    Ok(StereoBuffer { left: side(0), right: side(1) })
}

fn only(kind: RecipeKind, effect: EffectName) -> Recipe {
    Recipe { kind, ..Recipe::default() }.only(effect)
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>().max(1e-30)
}

/// How far left and right move against each other when each side is matched on its own, and when both share.
fn balance(stem: Stem, audio: &StereoBuffer) -> Result<String> {
    let level_db = |audio: &StereoBuffer| 10.0 * (power(&audio.left) / power(&audio.right)).log10();
    let mut moved = Vec::new();
    for kind in KINDS {
        let mut both = audio.clone();
        for effect in [EffectName::Equalization, EffectName::Dynamics] {
            both = normalize_stem(stem, &both, &only(kind, effect), &Targets::default(), RATE_HZ)?.0;
        }
        moved.push(format!("{:.1}", level_db(&both) - level_db(audio)));
    }
    Ok(moved.join(" / "))
}

/// Distance of the equalized stems in third octaves, levels aside, and the largest correction asked for.
fn spectra(stem: Stem, audio: &StereoBuffer) -> Result<String> {
    let (mut bands, mut largest) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let recipe = only(kind, EffectName::Equalization);
        let (mut output, profile) = normalize_stem(stem, audio, &recipe, &Targets::default(), RATE_HZ)?;
        let curves = profile.equalization.map(|equalization| equalization.curves_db).unwrap_or_default();
        // 30 Hz to 16 kHz: beyond lies what a stem hardly has.
        let points = curves.iter().flat_map(|curve| &curve[2..744]);
        largest.push(format!("{:.0}", points.fold(0f32, |largest, point| largest.max(point.abs()))));
        let spectrum = equalization::measure(&mut output, RecipeKind::Paper, RATE_HZ)?;
        bands.push(third_octaves(&spectrum).into_iter().map(|mean| 20.0 * mean.log10()).collect::<Vec<_>>());
    }
    Ok(format!("{:.1}, {}", mean_distance(&bands[0], &bands[1]), largest.join(" / ")))
}

/// The three features with and without 65,536 zeros at both ends.
fn padding(audio: &StereoBuffer) -> Result<String> {
    let (mut lufs, mut bands, mut phis) = (Vec::new(), Vec::new(), Vec::new());
    for kind in KINDS {
        let mut audio = audio.clone();
        lufs.push(loudness::measure(&mut audio, Sides::Both, kind, RATE_HZ)?.unwrap_or(-70.0));
        let spectrum = equalization::measure(&mut audio, kind, RATE_HZ)?;
        bands.push(third_octaves(&spectrum).into_iter().map(|mean| 20.0 * mean.log10()).collect::<Vec<_>>());
        phis.push(third_octaves(&similarity::measure_phi(&mut audio, kind)?));
    }
    let mean = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).sum::<f64>() / a.len() as f64;
    Ok(format!(
        "{:+.2}, {:+.1}, {:+.3}",
        lufs[0] - lufs[1],
        mean(&bands[0], &bands[1]),
        mean(&phis[0], &phis[1])
    ))
}

/// Distance of φ from 0.9 times its target, panned with the frame limit and with the frequency limit, and the level that
/// gains without a bound add over bounded ones.
fn panning(stem: Stem, audio: &StereoBuffer) -> Result<String> {
    let targets = Targets::default();
    let paper = Limits::of(RecipeKind::Paper, stem, RATE_HZ);
    let published = Limits::of(RecipeKind::Published, stem, RATE_HZ);
    let by_frames = Limits { gain: paper.gain, ..published };
    let unbounded = Limits { gain: published.gain, ..paper };
    let panned = |limits| -> Result<StereoBuffer> {
        let mut audio = audio.clone();
        let correction = PanningCorrection { side: measure_side(&mut audio, RATE_HZ)?, balance_db: 0.0 };
        let mut matcher = PanningMatcher::fixed(Some(&correction), targets.stem(stem), 1.0, limits, RATE_HZ);
        stream(&mut audio, 1, |hop| matcher.process(hop))?;
        Ok(audio)
    };
    // The aim holds for the bins that paper rules match.
    let limit_hz = paper.bins as f64 * RATE_HZ / 2_048.0;
    let off = |audio: &StereoBuffer| -> Result<f64> {
        let phi = similarity::measure_phi(&mut audio.clone(), RecipeKind::Paper)?;
        let aim: Vec<f64> = targets.stem(stem).phi.grid(phi.len(), RATE_HZ / 2.0);
        let bins = (limit_hz / RATE_HZ * 65_536.0) as usize;
        let distances = phi.iter().zip(&aim).take(bins).skip(30).map(|(phi, aim)| (phi - 0.9 * aim).abs());
        Ok(distances.sum::<f64>() / (bins - 30) as f64)
    };
    let (frames, frequency, wild) = (panned(by_frames)?, panned(paper)?, panned(unbounded)?);
    let level = |audio: &StereoBuffer| power(&audio.left) + power(&audio.right);
    let louder_db = 10.0 * (level(&wild) / level(&frequency)).log10();
    Ok(format!("{:.2} / {:.2} | {louder_db:+.1}", off(&frames)?, off(&frequency)?))
}

/// Means of third octaves from 31 Hz to 12.5 kHz.
fn third_octaves(bins: &[f64]) -> Vec<f64> {
    let bin_hz = RATE_HZ / 65_536.0;
    let band = |band: i32| {
        let center_hz = 1_000.0 * 2f64.powf(f64::from(band) / 3.0);
        let edge = |sixth: f64| (center_hz * 2f64.powf(sixth) / bin_hz) as usize;
        let bins = &bins[edge(-1.0 / 6.0)..edge(1.0 / 6.0)];
        (bins.iter().sum::<f64>() / bins.len() as f64).max(1e-9)
    };
    (-15..=11).map(band).collect()
}

/// Mean distance of two spectra in dB, level aside.
fn mean_distance(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let level = mean(a) - mean(b);
    a.iter().zip(b).map(|(a, b)| (a - b - level).abs()).sum::<f64>() / a.len() as f64
}
