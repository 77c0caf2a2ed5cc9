//! One song read: its stems brought to one sample rate and one length, in memory or in temporary files, with notes on what
//! was mended.
//!
//! A stem that cannot be read never stops the song: it becomes a missing stem and a note. Only a song without a single
//! readable stem is an error.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tributary_dsp::{Recipe, Session, Stem, StemStore, StereoBuffer, StoreError};

use crate::dataset::{SongFiles, Source, file_name};
use crate::error::{AudioFileError, MIN_SAMPLE_RATE_HZ, Note};
use crate::reader::{self, AudioReader};
use crate::resample::resample;
use crate::stem_space::{PIECE_FRAMES, Spaces, StemSpace};
use full_scale::{Scale, bring_to_full_scale};

mod balance;
mod full_scale;

/// A stem that ends this much earlier than the longest is worth a word, in seconds.
const AUDIBLE_GAP_S: f64 = 0.01;

/// The stems of one song, ready to be measured or mixed.
#[derive(Debug)]
pub struct Song<S = StereoBuffer> {
    /// The common rate, in Hz.
    pub sample_rate_hz: u32,
    /// The common length: that of the longest stem.
    pub frames: usize,
    /// Audio per stem, in [`Stem`] order; all `frames` long.
    pub stems: [Option<S>; Stem::COUNT],
    /// Plain sentences on what is missing or was mended.
    pub notes: Vec<String>,
    /// Those of them that tell of audio which was there and is not used.
    pub lost: Vec<String>,
}

/// Whether reading a song failed for want of space to keep it, which says nothing about the song.
pub fn lacks_space(error: &anyhow::Error) -> bool {
    // What is wrong with a file of the song has the system for its cause as well.
    let before_files = error.chain().take_while(|cause| !cause.is::<AudioFileError>());
    before_files.into_iter().any(|cause| cause.is::<StoreError>() || cause.is::<std::io::Error>())
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
    /// Reads all stems of a song into memory.
    ///
    /// # Errors
    /// No stem can be read; the sentence lists why.
    pub fn read(files: &SongFiles, rate: Rate) -> Result<Self> {
        Self::read_into(files, rate, &|| Ok(StereoBuffer::default()))
    }
}

impl<S: StemSpace> Song<S> {
    /// Reads all stems of a song into spaces of any kind; with [`crate::stem_space::spaces_in`] the memory this takes does not depend on the
    /// song.
    ///
    /// # Errors
    /// No stem can be read, the sentence lists why; or a space cannot be written.
    pub fn read_into(files: &SongFiles, rate: Rate, spaces: &Spaces<'_, S>) -> Result<Self> {
        Self::read_reporting(files, rate, spaces, &mut |_| {})
    }

    /// The same; `progress` is told which share is done.
    ///
    /// # Errors
    /// As [`Song::read_into`].
    pub fn read_reporting(
        files: &SongFiles,
        rate: Rate,
        spaces: &Spaces<'_, S>,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Self> {
        if let Some(problem) = &files.problem {
            bail!("{problem}");
        }
        let mut notes = files.remarks.clone();
        let mut lost: Vec<String> = files.unused.iter().map(ToString::to_string).collect();
        notes.extend(lost.iter().cloned());
        let mut parts: [Vec<(S, u32)>; Stem::COUNT] = Default::default();
        // Bringing all to one rate and one length takes about as long as reading another file.
        let steps = files.stems.iter().map(Vec::len).sum::<usize>() + 1;
        let mut done = 0;
        for stem in Stem::ALL {
            let sources = &files.stems[stem.index()];
            if sources.is_empty() {
                notes.push(format!("the {} stem is missing; the song goes on without it", stem.name()));
            }
            for source in sources {
                let part = read_part(source, spaces, &mut notes, &mut lost)?;
                done += 1;
                progress(done as f64 / steps as f64);
                match part {
                    Ok(part) => parts[stem.index()].push(part),
                    Err(reason) if files.named[stem.index()] => return Err(reason.into()),
                    Err(reason) => {
                        notes.push(format!("{reason}; the song goes on without it"));
                        lost.push(reason.to_string());
                    }
                }
            }
        }
        if parts.iter().all(Vec::is_empty) {
            bail!("no stem can be used: {}", notes.join("; "));
        }
        let sample_rate_hz = common_rate(&parts, rate, &mut notes);
        let mut stems: [Option<S>; Stem::COUNT] = Default::default();
        for ((stem, audio), mut parts) in Stem::ALL.into_iter().zip(&mut stems).zip(parts) {
            if files.balance {
                notes.extend(balance::equalize(stem, &mut parts)?);
            }
            *audio = sum_parts(parts, sample_rate_hz, spaces)?;
        }
        let frames = equalize_lengths(&mut stems, sample_rate_hz, &mut notes)?;
        if (frames as f64) < LOUDNESS_BLOCK_S * f64::from(sample_rate_hz) {
            notes.push(format!(
                "the song is shorter than {LOUDNESS_BLOCK_S} s, the block in which loudness is measured; its levels are a guess"
            ));
        }
        Ok(Self { sample_rate_hz, frames, stems, notes, lost })
    }

    /// How the raw stems stand to one another, for the recipe's rules.
    ///
    /// # Errors
    /// A space that cannot be read.
    pub fn session(&mut self, recipe: &Recipe) -> Result<Session> {
        let stems = self.stems.each_mut().map(|stem| stem.as_mut().map(|stem| stem as &mut dyn StemStore));
        Ok(Session::measure(stems, recipe.kind, f64::from(self.sample_rate_hz))?)
    }

    /// Fails when audio was there that is not used.
    ///
    /// # Errors
    /// One sentence about each.
    pub fn check_complete(&self) -> Result<()> {
        if self.lost.is_empty() { Ok(()) } else { bail!("{}", self.lost.join("; ")) }
    }
}

/// Reads one piece of audio from wherever it lies; returns it with its rate in Hz and what was mended.
///
/// # Errors
/// As [`AudioReader::open`], [`AudioReader::open_track`] and [`AudioReader::next_piece`], or the space's reason.
pub fn read_source<S: StemSpace>(
    source: &Source,
    mut space: S,
) -> Result<(S, u32, Vec<Note>), AudioFileError> {
    let mut reader = match source {
        Source::File(path) => AudioReader::open(path)?,
        Source::Pair { left, right } => return read_pair(left, right, space),
        Source::Stream { path, index } => AudioReader::open_track(path, *index)?,
    };
    while let Some([left, right]) = reader.next_piece()? {
        space.append(left, right)?;
    }
    Ok((space, reader.sample_rate_hz(), reader.notes()))
}

/// Reads the two sides of one recording. Files that are stereo themselves are summed, as other parts of a stem are.
fn read_pair<S: StemSpace>(
    left: &Path,
    right: &Path,
    mut space: S,
) -> Result<(S, u32, Vec<Note>), AudioFileError> {
    let (one, other) = (reader::read(left)?, reader::read(right)?);
    if one.sample_rate_hz != other.sample_rate_hz {
        return Err(AudioFileError::Pair(file_name(right)));
    }
    let mut sides = [one.audio, other.audio];
    let frames = sides[0].frames().max(sides[1].frames());
    for side in &mut sides {
        StemSpace::set_frames(side, frames)?;
    }
    let [one_audio, other_audio] = &sides;
    if one.channels == 1 && other.channels == 1 {
        space.append(&one_audio.left, &other_audio.right)?;
    } else {
        let sum = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<f32>>();
        space.append(&sum(&one_audio.left, &other_audio.left), &sum(&one_audio.right, &other_audio.right))?;
    }
    Ok((space, one.sample_rate_hz, [one.notes, other.notes].concat()))
}

/// Why a piece of a stem cannot be used.
#[derive(Debug, thiserror::Error)]
enum PartError {
    /// The file cannot be read.
    #[error("{} {source}", path.display())]
    File { path: PathBuf, source: AudioFileError },
    /// What it holds is not the sound of anything.
    #[error("{} holds samples up to {peak:.1e}, which is no audio", path.display())]
    NoAudio { path: PathBuf, peak: f32 },
}

/// One piece of a stem and its rate in Hz, or why it cannot be used.
type Part<S> = Result<(S, u32), PartError>;

/// Reads one piece of a stem; what was mended becomes a note.
fn read_part<S: StemSpace>(
    source: &Source,
    spaces: &Spaces<'_, S>,
    notes: &mut Vec<String>,
    lost: &mut Vec<String>,
) -> Result<Part<S>> {
    match read_source(source, spaces()?) {
        Ok((mut space, rate_hz, mended)) => {
            let name = file_name(source.path());
            match bring_to_full_scale(&mut space)? {
                Scale::Full => {}
                Scale::WholeNumbers { bits } => notes.push(format!(
                    "{name}: its samples go into the thousands; they are read as {bits}-bit whole numbers and divided by 2^{}",
                    bits - 1
                )),
                Scale::NoAudio { peak } => {
                    return Ok(Err(PartError::NoAudio { path: source.path().to_owned(), peak }));
                }
            }
            let said = |note: &Note| format!("{name}: {note}");
            notes.extend(mended.iter().map(said));
            lost.extend(mended.iter().filter(|note| note.is_loss()).map(said));
            Ok(Ok((space, rate_hz)))
        }
        Err(AudioFileError::Store(error)) => Err(error.into()),
        Err(error) => Ok(Err(PartError::File { path: source.path().to_owned(), source: error })),
    }
}

/// Loudness is measured in blocks of 400 ms (BS.1770-4).
const LOUDNESS_BLOCK_S: f64 = 0.4;

/// Decides the song's rate, and says so when files differ from it.
fn common_rate<S>(parts: &[Vec<(S, u32)>; Stem::COUNT], rate: Rate, notes: &mut Vec<String>) -> u32 {
    let rates = || parts.iter().flatten().map(|(_, rate_hz)| *rate_hz);
    let highest_hz = rates().max().unwrap_or(MIN_SAMPLE_RATE_HZ);
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
fn sum_parts<S: StemSpace>(
    parts: Vec<(S, u32)>,
    sample_rate_hz: u32,
    spaces: &Spaces<'_, S>,
) -> Result<Option<S>> {
    let mut sum: Option<S> = None;
    for (mut part, rate_hz) in parts {
        if rate_hz != sample_rate_hz {
            part = resample(&mut part, rate_hz, sample_rate_hz, spaces()?)?;
        }
        match &mut sum {
            None => sum = Some(part),
            Some(sum) => add(sum, &mut part)?,
        }
    }
    Ok(sum)
}

/// Adds `from` to `to`, lengthening it where needed.
fn add<S: StemSpace>(to: &mut S, from: &mut S) -> Result<(), StoreError> {
    if from.frames() > to.frames() {
        to.set_frames(from.frames())?;
    }
    let [mut left, mut right, mut more_left, mut more_right] = [(); 4].map(|()| vec![0f32; PIECE_FRAMES]);
    for start in (0..from.frames()).step_by(PIECE_FRAMES) {
        let count = (from.frames() - start).min(PIECE_FRAMES);
        to.read(start, &mut left[..count], &mut right[..count])?;
        from.read(start, &mut more_left[..count], &mut more_right[..count])?;
        for (sum, more) in [(&mut left, &more_left), (&mut right, &more_right)] {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        to.write(start, &left[..count], &right[..count])?;
    }
    Ok(())
}

/// Pads every stem with silence to the longest one's length, and says by how much when it is audible.
fn equalize_lengths<S: StemSpace>(
    stems: &mut [Option<S>; Stem::COUNT],
    sample_rate_hz: u32,
    notes: &mut Vec<String>,
) -> Result<usize> {
    let frames = stems.iter().flatten().map(S::frames).max().unwrap_or(0);
    for (stem, audio) in Stem::ALL.into_iter().zip(stems) {
        let Some(audio) = audio else { continue };
        let missing = frames - audio.frames();
        let missing_s = missing as f64 / f64::from(sample_rate_hz);
        if missing > 0 {
            audio.set_frames(frames)?;
        }
        if missing_s >= AUDIBLE_GAP_S {
            notes.push(format!(
                "the {} stem is {missing_s:.3} s shorter than the longest; its end is silent",
                stem.name()
            ));
        }
    }
    Ok(frames)
}
