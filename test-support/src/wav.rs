//! WAV files of a known signal: every stem has a tone of its own, so that a test can tell stems, sides and times apart.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

/// The stem names in the network's order.
pub const STEMS: [&str; 4] = ["vocals", "bass", "drums", "other"];

/// A file to be written by [`write()`].
#[derive(Debug, Clone, Copy)]
pub struct Wav {
    /// Rate in Hz.
    pub rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Bits of a sample.
    pub bits: u16,
    /// Floating point instead of whole numbers.
    pub float: bool,
    /// Length.
    pub seconds: f64,
}

impl Wav {
    /// Three seconds as on a CD.
    pub const CD: Self = Self { rate_hz: 44_100, channels: 2, bits: 16, float: false, seconds: 3.0 };
    /// The same in floating point.
    pub const FLOAT: Self = Self { bits: 32, float: true, ..Self::CD };

    /// As the writer wants it.
    pub fn spec(self) -> hound::WavSpec {
        let sample_format = if self.float { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
        hound::WavSpec {
            channels: self.channels,
            sample_rate: self.rate_hz,
            bits_per_sample: self.bits,
            sample_format,
        }
    }

    /// Length in frames.
    pub fn frames(self) -> usize {
        (self.seconds * f64::from(self.rate_hz)).round() as usize
    }
}

/// The test signal of a stem: a plucked tone of its own pitch, twice a second, a little off the center.
pub fn signal(stem: usize, time_s: f64, channel: u16) -> f64 {
    let pitch_hz = [440.0, 82.5, 165.0, 660.0][stem];
    let since_s = time_s % 0.5;
    // Fades of 10 ms keep the signal below 20 kHz, so that a change of rate keeps it whole.
    let fade = |ms_from_edge: f64| (TAU / 4.0 * (ms_from_edge / 10.0).clamp(0.0, 1.0)).sin().powi(2);
    let envelope = (-6.0 * since_s).exp() * fade(1000.0 * since_s) * fade(1000.0 * (0.5 - since_s));
    let tone: f64 = (1..6).map(|k| (TAU * pitch_hz * f64::from(k) * time_s).sin() / f64::from(k)).sum();
    [0.30, 0.22][usize::from(channel)] * envelope * tone
}

/// Writes the signal of a stem.
///
/// # Panics
/// When it cannot be written.
pub fn write(path: &Path, stem: usize, wav: Wav) {
    write_with(path, wav, |time_s, channel| signal(stem, time_s, channel));
}

/// Writes any signal of (seconds, channel).
///
/// # Panics
/// When it cannot be written.
pub fn write_with(path: &Path, wav: Wav, signal: impl Fn(f64, u16) -> f64) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("the folder can be made");
    }
    let mut writer = hound::WavWriter::create(path, wav.spec()).expect("the file can be made");
    for n in 0..wav.frames() {
        for channel in 0..wav.channels {
            let value = signal(n as f64 / f64::from(wav.rate_hz), channel);
            if wav.float {
                writer.write_sample(value as f32)
            } else {
                let full_scale = f64::from(1_u32 << (wav.bits - 1));
                writer.write_sample((value * full_scale).round() as i32)
            }
            .expect("the sample can be written");
        }
    }
    writer.finalize().expect("the file can be finished");
}

/// Writes a song of all four stems; returns its folder.
///
/// # Panics
/// When it cannot be written.
pub fn song(folder: &Path, wav: Wav) -> PathBuf {
    for (index, stem) in STEMS.iter().enumerate() {
        write(&folder.join(format!("{stem}.wav")), index, wav);
    }
    folder.to_owned()
}
