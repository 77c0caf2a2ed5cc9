//! Normalizes one stem: reads a WAV file, brings it to where such stems stand, writes the result and says what was done.
//!
//! `cargo run --release -p tributary-dsp --example normalize_stem -- vocals vocals.wav normalized.wav`

use std::error::Error;

use tributary_dsp::{Recipe, RecipeKind, Stem, StereoBuffer, Targets, normalize_stem};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [stem, input, output] = &arguments[..] else {
        return Err("which stem, from which file, to which?".into());
    };
    let stem = Stem::from_name(stem).ok_or("a stem is vocals, bass, drums or other")?;
    let (audio, rate_hz) = read(input)?;

    // The rules of the models that ship, but for their levels: what is wrong is mended, what is fine stays as it is.
    let recipe = Recipe { kind: RecipeKind::Tributary, ..Recipe::default() }.with_width(1.0);
    let (normalized, profile) = normalize_stem(stem, &audio, &recipe, &Targets::default(), rate_hz)?;

    let gain_db = profile.loudness.map_or(0.0, |loudness| loudness.gain_db);
    println!("{} frames, level {gain_db:+.1} dB", normalized.frames());
    write(output, &normalized, rate_hz)
}

/// A mono or stereo file, whole numbers or floating point.
fn read(path: &str) -> Result<(StereoBuffer, f64), Box<dyn Error>> {
    let mut reader = hound::WavReader::open(path)?;
    let format = reader.spec();
    let samples: Vec<f32> = match format.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let full_scale = 2f32.powi(i32::from(format.bits_per_sample) - 1);
            let scaled = reader.samples::<i32>().map(|sample| Ok(sample? as f32 / full_scale));
            scaled.collect::<Result<_, hound::Error>>()?
        }
    };
    let side = |side: usize| samples.iter().skip(side).step_by(2).copied().collect();
    let audio = match format.channels {
        1 => StereoBuffer::mono(samples),
        2 => StereoBuffer { left: side(0), right: side(1) },
        channels => return Err(format!("{channels} channels; a stem has one or two").into()),
    };
    Ok((audio, f64::from(format.sample_rate)))
}

fn write(path: &str, audio: &StereoBuffer, rate_hz: f64) -> Result<(), Box<dyn Error>> {
    let format = hound::WavSpec {
        channels: 2,
        sample_rate: rate_hz as u32,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(path, format)?;
    for (left, right) in audio.left.iter().zip(&audio.right) {
        writer.write_sample(*left)?;
        writer.write_sample(*right)?;
    }
    Ok(writer.finalize()?)
}
