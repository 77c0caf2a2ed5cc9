//! How fast the running estimates reach the whole-file corrections: for each effect alone, the seconds after which the
//! live output stays within 1 dB of the whole-file output's level in every octave (equalization) or of its level
//! (dynamics, loudness), and within a tenth of the way of its panning side.
//!
//! `cargo run --release -p tributary-dsp --example settling -- vocals stem.wav` (16-bit or float WAV, 44.1 kHz, stereo;
//! repeated to a minute when shorter).
use std::error::Error;

use tributary_dsp::filter::{Coefficients, StereoBiquad};
use tributary_dsp::{
    CHANNELS, CorrectionSource, EffectName, FxNormalizer, Recipe, SongProfile, Stem, StemsBlock,
    StereoBuffer, Targets, normalize_stem,
};

const RATE_HZ: f64 = 44_100.0;
const SECOND: usize = 44_100;

fn read(path: &str) -> Result<StereoBuffer, Box<dyn Error>> {
    let mut reader = hound::WavReader::open(path)?;
    let samples: Vec<f32> = match reader.spec().sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let integers: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>()?;
            integers.into_iter().map(|sample| f32::from(sample) / 32_768.0).collect()
        }
    };
    let side = |channel: usize| {
        let once = samples.iter().skip(channel).step_by(2).copied();
        once.cycle().take((60 * SECOND).max(samples.len() / 2)).collect()
    };
    Ok(StereoBuffer { left: side(0), right: side(1) })
}

/// One stem through a normalizer of all four, latency removed.
fn live(
    recipe: &Recipe,
    source: CorrectionSource,
    stem: Stem,
    audio: &StereoBuffer,
) -> Result<StereoBuffer, Box<dyn Error>> {
    let mut normalizer = FxNormalizer::new(recipe, &Targets::default(), source, RATE_HZ, SECOND)?;
    let frames = audio.frames();
    let latency = normalizer.latency_samples();
    let mut channels = vec![vec![0f32; frames + latency]; CHANNELS];
    channels[stem.index() * 2][..frames].copy_from_slice(&audio.left[..frames]);
    channels[stem.index() * 2 + 1][..frames].copy_from_slice(&audio.right[..frames]);
    let mut views = channels.iter_mut();
    let views = std::array::from_fn(|_| views.next().map(Vec::as_mut_slice).unwrap_or_default());
    normalizer.process(&mut StemsBlock { channels: views });
    let mut sides =
        channels.drain(stem.index() * 2..stem.index() * 2 + 2).map(|side| side[latency..].to_vec());
    Ok(StereoBuffer { left: sides.next().unwrap_or_default(), right: sides.next().unwrap_or_default() })
}

/// Level per second and band in dB: the whole, then seven octaves if wanted.
fn levels(audio: &StereoBuffer, octaves: bool) -> Vec<Vec<f64>> {
    let corners: &[f64] =
        if octaves { &[125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0] } else { &[] };
    let mut bands = vec![level_per_second(audio, &mut [])];
    for corner_hz in corners {
        let high = StereoBiquad::new(Coefficients::high_pass(corner_hz * 0.8, 0.8, RATE_HZ));
        let low = StereoBiquad::new(Coefficients::high_shelf(corner_hz * 1.25, -40.0, 0.8, RATE_HZ));
        bands.push(level_per_second(audio, &mut [high, low]));
    }
    bands
}

fn level_per_second(audio: &StereoBuffer, filters: &mut [StereoBiquad]) -> Vec<f64> {
    let frames: Vec<[f64; 2]> = audio
        .left
        .iter()
        .zip(&audio.right)
        .map(|(left, right)| [f64::from(*left), f64::from(*right)])
        .collect();
    let mut powers = vec![0.0; frames.len() / SECOND];
    for (n, frame) in frames.into_iter().enumerate() {
        let filtered = filters.iter_mut().fold(frame, |frame, filter| filter.tick(frame));
        if let Some(power) = powers.get_mut(n / SECOND) {
            *power += filtered[0] * filtered[0] + filtered[1] * filtered[1];
        }
    }
    powers.into_iter().map(|power: f64| 10.0 * power.max(1e-12).log10()).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [stem, path] = arguments.as_slice() else { return Err("usage: settling STEM FILE.wav".into()) };
    let stem = Stem::from_name(stem).ok_or("STEM is vocals, bass, drums or other")?;
    let audio = read(path)?;
    for effect in EffectName::MEASURED {
        let recipe = Recipe::default().only(effect);
        let (whole, profile) = normalize_stem(stem, &audio, &recipe, &Targets::default(), RATE_HZ)?;
        let mut song = SongProfile::default();
        song.0[stem.index()] = Some(profile);
        let fixed = live(&recipe, CorrectionSource::Fixed(song), stem, &audio)?;
        let same = fixed.left == whole.left && fixed.right == whole.right;
        let adaptive = live(&recipe, CorrectionSource::Adaptive, stem, &audio)?;
        let octaves = effect == EffectName::Equalization;
        let (wanted, actual) = (levels(&whole, octaves), levels(&adaptive, octaves));
        let seconds = wanted[0].len();
        let distance = |second: usize| {
            let bands =
                wanted.iter().zip(&actual).map(|(wanted, actual)| (wanted[second] - actual[second]).abs());
            bands.fold(0.0, f64::max)
        };
        let last_far = (0..seconds).rev().find(|second| distance(*second) > 1.0);
        let settled = last_far.map_or(0, |second| second + 1);
        let late: f64 = (seconds / 2..seconds).map(distance).sum::<f64>() / (seconds - seconds / 2) as f64;
        println!(
            "{stem:7} {:13} within 1 dB from second {settled:3} of {seconds}; mean distance later {late:.2} dB; fixed = whole file: {same}",
            effect.name()
        );
    }
    Ok(())
}
