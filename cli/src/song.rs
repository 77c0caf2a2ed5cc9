//! One song in memory: its stems read, brought to one sample rate and one length, with notes on what was mended.
//!
//! A stem that cannot be read never stops the song: it becomes a missing stem and a note. Only a song without a single
//! readable stem is an error.

use anyhow::{Result, bail};
use tributary_dsp::{Stem, StereoBuffer};

use crate::audio_file::{self, AudioFile, AudioFileError};
use crate::dataset::{SongFiles, Source, file_name};
use crate::ffmpeg;
use crate::resample::resample;

/// The stems of one song, ready to be measured or mixed.
#[derive(Debug)]
pub struct Song {
    /// The common rate, in Hz.
    pub sample_rate_hz: u32,
    /// The common length: that of the longest stem.
    pub frames: usize,
    /// Audio per stem, in [`Stem`] order; all `frames` long.
    pub stems: [Option<StereoBuffer>; Stem::COUNT],
    /// Plain sentences on what is missing or was mended.
    pub notes: Vec<String>,
}

/// The rate a song is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// The highest rate among the song's files: nothing is lost.
    HighestOfFiles,
    /// This rate, in Hz.
    Hz(u32),
}

impl Song {
    /// Reads all stems of a song.
    ///
    /// # Errors
    /// No stem can be read; the sentence lists why.
    pub fn read(files: &SongFiles, rate: Rate) -> Result<Self> {
        if let Some(problem) = &files.problem {
            bail!("{problem}");
        }
        let mut notes = Vec::new();
        let mut parts: [Vec<(StereoBuffer, u32)>; Stem::COUNT] = Default::default();
        for stem in Stem::ALL {
            let sources = &files.stems[stem.index()];
            if sources.is_empty() {
                notes.push(format!("the {} stem is missing; the song goes on without it", stem.name()));
            }
            parts[stem.index()] = sources.iter().filter_map(|source| read_part(source, &mut notes)).collect();
        }
        if parts.iter().all(Vec::is_empty) {
            bail!("no stem can be used: {}", notes.join("; "));
        }
        let sample_rate_hz = common_rate(&parts, rate, &mut notes);
        let mut stems: [Option<StereoBuffer>; Stem::COUNT] = Default::default();
        for (stem, parts) in stems.iter_mut().zip(parts) {
            *stem = sum_parts(parts, sample_rate_hz)?;
        }
        let frames = equalize_lengths(&mut stems, sample_rate_hz, &mut notes);
        Ok(Self { sample_rate_hz, frames, stems, notes })
    }
}

/// Reads one piece of audio from wherever it lies.
///
/// # Errors
/// As [`audio_file::read`] and [`ffmpeg::read_stream`].
pub fn read_source(source: &Source) -> Result<AudioFile, AudioFileError> {
    match source {
        Source::File(path) => audio_file::read(path),
        Source::Stream { path, index } => ffmpeg::read_stream(path, *index),
    }
}

/// Reads one piece of a stem; a failure becomes a note.
fn read_part(source: &Source, notes: &mut Vec<String>) -> Option<(StereoBuffer, u32)> {
    match read_source(source) {
        Ok(file) => {
            notes.extend(file.notes.iter().map(|note| format!("{}: {note}", file_name(source.path()))));
            Some((file.audio, file.sample_rate_hz))
        }
        Err(error) => {
            notes.push(format!("{} {error}; the song goes on without it", source.path().display()));
            None
        }
    }
}

/// Decides the song's rate, and says so when files differ from it.
fn common_rate(parts: &[Vec<(StereoBuffer, u32)>; Stem::COUNT], rate: Rate, notes: &mut Vec<String>) -> u32 {
    let rates = || parts.iter().flatten().map(|&(_, rate_hz)| rate_hz);
    let highest_hz = rates().max().unwrap_or(audio_file::MIN_SAMPLE_RATE_HZ);
    let chosen_hz = match rate {
        Rate::HighestOfFiles => highest_hz,
        Rate::Hz(hz) => hz,
    };
    if rate == Rate::HighestOfFiles && rates().any(|rate_hz| rate_hz != chosen_hz) {
        notes.push(format!("the stems have different sample rates; all are brought to {chosen_hz} Hz"));
    }
    chosen_hz
}

/// Resamples the files of one stem and adds them up.
fn sum_parts(parts: Vec<(StereoBuffer, u32)>, sample_rate_hz: u32) -> Result<Option<StereoBuffer>> {
    let mut sum: Option<StereoBuffer> = None;
    for (audio, rate_hz) in parts {
        let audio = resample(audio, rate_hz, sample_rate_hz)?;
        match &mut sum {
            None => sum = Some(audio),
            Some(sum) => {
                add(&mut sum.left, &audio.left);
                add(&mut sum.right, &audio.right);
            }
        }
    }
    Ok(sum)
}

/// Adds `from` to `to`, lengthening it where needed.
fn add(to: &mut Vec<f32>, from: &[f32]) {
    to.resize(to.len().max(from.len()), 0.0);
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Pads every stem with silence to the longest one's length, and says by how much when it is audible.
fn equalize_lengths(
    stems: &mut [Option<StereoBuffer>; Stem::COUNT],
    sample_rate_hz: u32,
    notes: &mut Vec<String>,
) -> usize {
    let frames = stems.iter().flatten().map(|audio| audio.left.len()).max().unwrap_or(0);
    for (stem, audio) in Stem::ALL.into_iter().zip(stems) {
        let Some(audio) = audio else { continue };
        let missing = frames - audio.left.len();
        if missing > 0 {
            let missing_s = missing as f64 / f64::from(sample_rate_hz);
            notes.push(format!(
                "the {} stem is {missing_s:.3} s shorter than the longest; its end is silent",
                stem.name()
            ));
            audio.left.resize(frames, 0.0);
            audio.right.resize(frames, 0.0);
        }
    }
    frames
}
