//! The four stems of a song on their way to being analyzed: a temporary file that holds them as they enter the
//! normalizer, and the rules by which a stream becomes a stretch worth analyzing. Runs on the learning thread only
//! (`learning.rs`); neither the audio thread nor the worker ever touches a file.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tributary_dsp::{CHANNELS, Cause, Stem};

use crate::learn::stem_file::StemFile;

/// Frames of a chunk: 93 ms at 44.1 kHz, a whole number of the normalizer's hops.
pub(crate) const CHUNK_FRAMES: usize = 4096;
/// Samples of a chunk.
pub(crate) const CHUNK_SAMPLES: usize = CHUNK_FRAMES * CHANNELS;
/// Silence in all stems that is kept at either end of a stretch (2 s at 44.1 kHz, whole chunks): what a host sends
/// before playing and after stopping does not belong to the song.
const SILENT_FRAMES_KEPT: usize = 22 * CHUNK_FRAMES;
/// Longest silence in all stems within a stretch, in seconds. A host whose transport stands may go on sending silence for
/// hours; what sounds after that is another stretch, as after a jump. No arrangement is silent in all four stems for so
/// long.
const LONGEST_SILENCE_S: f64 = 30.0;
/// Peak that a stem must exceed to be measured, linear: −50 dBFS, the limit of whole files.
const QUIETEST_PEAK: f32 = 0.003_162_277_7;
/// Chunks between two looks at the free space: 6 s at 44.1 kHz, 8 MiB.
const SPACE_CHECK_CHUNKS: u64 = 64;

/// Where captured stems may go, and how much of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureLimits {
    /// Folder of the temporary file.
    pub folder: PathBuf,
    /// Longest stretch in seconds, silence within it included; listening ends by itself there.
    pub longest_s: f64,
    /// Space that is left free on the disk, in bytes.
    pub reserve_bytes: u64,
}

impl CaptureLimits {
    /// Fails while there is still room for others: a full disk harms more than a capture.
    pub(crate) fn check_space(&self) -> Result<(), CaptureError> {
        match fs4::available_space(&self.folder) {
            Ok(bytes) if bytes < self.reserve_bytes => {
                Err(CaptureError::Full { folder: self.folder.clone() })
            }
            // A system that does not tell will refuse to write in time.
            _ => Ok(()),
        }
    }
}

impl Default for CaptureLimits {
    /// The system's temporary folder, 20 minutes (1.7 GB at 44.1 kHz), 1 GiB left free.
    fn default() -> Self {
        Self { folder: std::env::temp_dir(), longest_s: 20.0 * 60.0, reserve_bytes: 1 << 30 }
    }
}

/// Why stems cannot be captured: sentences for the editor.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be created.
    #[error("The temporary folder {} cannot be written: {reason}.", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        reason: Cause,
    },
    /// The disk is full or nearly so.
    #[error("The disk of the temporary folder {} has too little room left to listen on.", folder.display())]
    Full {
        /// The folder.
        folder: PathBuf,
    },
    /// Reading or writing failed.
    #[error("The temporary file cannot be used: {reason}.")]
    File {
        /// What the system said.
        #[source]
        reason: Cause,
    },
    /// The disk does not keep up with the song.
    #[error("The disk of the temporary folder is too slow to listen on.")]
    Slow,
    /// The user, or the end of the plug-in.
    #[error("Learning was cancelled.")]
    Cancelled,
}

/// One contiguous stretch of the four stems, each in a temporary file of its own.
pub(crate) struct Take {
    stems: [StemFile; Stem::COUNT],
    /// Frames in the files.
    frames: usize,
    /// Silence that follows them, in frames; it is written when sound comes after it.
    silent_frames: usize,
    peaks: [f32; Stem::COUNT],
}

impl Take {
    fn create(folder: &Path) -> Result<Self, CaptureError> {
        let file = || {
            StemFile::create_in(folder)
                .map_err(|error| CaptureError::Folder { folder: folder.into(), reason: Cause::new(error) })
        };
        let stems = [file()?, file()?, file()?, file()?];
        Ok(Self { stems, frames: 0, silent_frames: 0, peaks: [0.0; Stem::COUNT] })
    }

    /// Length in frames, silence at the end included as far as it is kept; 0 as long as there is nothing but silence.
    pub(crate) fn frames(&self) -> usize {
        if self.frames == 0 { 0 } else { self.frames + self.silent_frames.min(SILENT_FRAMES_KEPT) }
    }

    /// Which stems are loud enough to be measured.
    pub(crate) fn heard(&self) -> [bool; Stem::COUNT] {
        self.peaks.map(|peak| peak > QUIETEST_PEAK)
    }

    /// Appends a chunk of eight planes, of which the first `frames` frames count. A chunk that is not full ends the
    /// stretch.
    fn append(&mut self, planes: &[f32], frames: usize) -> io::Result<()> {
        let sounds = sounds(planes);
        for (peak, pair) in self.peaks.iter_mut().zip(planes.chunks_exact(2 * CHUNK_FRAMES)) {
            let loudest = pair.iter().fold(0.0_f32, |loudest, sample| loudest.max(sample.abs()));
            *peak = peak.max(loudest);
        }
        if !sounds {
            self.silent_frames += frames;
            return Ok(());
        }
        let most = if self.frames == 0 { SILENT_FRAMES_KEPT } else { usize::MAX };
        self.frames += self.silent_frames.min(most);
        self.silent_frames = 0;
        for (stem, pair) in self.stems.iter_mut().zip(planes.chunks_exact(2 * CHUNK_FRAMES)) {
            let (left, right) = pair.split_at(CHUNK_FRAMES);
            stem.set_frames(self.frames)?;
            stem.append(&left[..frames], &right[..frames])?;
        }
        self.frames += frames;
        Ok(())
    }

    /// Ends the stretch: the silence that is kept becomes part of it.
    fn finish(&mut self) -> io::Result<()> {
        self.frames = self.frames();
        self.silent_frames = 0;
        self.stems.iter_mut().try_for_each(|stem| Ok(stem.set_frames(self.frames)?))
    }

    /// One stem, to be read and overwritten.
    pub(crate) fn stem(&mut self, stem: Stem) -> &mut StemFile {
        &mut self.stems[stem.index()]
    }

    /// All stems, likewise.
    pub(crate) fn stems(&mut self) -> &mut [StemFile; Stem::COUNT] {
        &mut self.stems
    }
}

/// Turns the stream into a stretch. A stream that starts anew – a jump, a stop – begins another stretch; the longest
/// one counts, so one may rewind before the song, and need not hurry after it.
pub(crate) struct Capture {
    limits: CaptureLimits,
    longest_frames: usize,
    longest_silence_frames: usize,
    current: Take,
    best: Option<Take>,
    chunks: u64,
}

impl Capture {
    /// Creates the first file.
    pub(crate) fn start(limits: CaptureLimits, rate_hz: f64) -> Result<Self, CaptureError> {
        let current = Take::create(&limits.folder)?;
        let longest_frames = (limits.longest_s.max(0.0) * rate_hz) as usize;
        let longest_silence_frames = (LONGEST_SILENCE_S * rate_hz) as usize;
        let capture = Self { limits, longest_frames, longest_silence_frames, current, best: None, chunks: 0 };
        capture.limits.check_space()?;
        Ok(capture)
    }

    /// Appends a chunk, as [`Take::append`]; whether there is room for more. Sound after a long silence begins another
    /// stretch.
    pub(crate) fn append(&mut self, planes: &[f32], frames: usize) -> Result<bool, CaptureError> {
        self.chunks += 1;
        if self.chunks.is_multiple_of(SPACE_CHECK_CHUNKS) {
            self.limits.check_space()?;
        }
        if self.current.silent_frames > self.longest_silence_frames && sounds(planes) {
            let silent_frames = self.current.silent_frames;
            self.restart()?;
            // The new stretch keeps as much silence before it as one that a jump began.
            self.current.silent_frames = silent_frames;
        }
        let result = self.current.append(planes, frames);
        result.map_err(|error| describe(error, &self.limits.folder))?;
        Ok(self.current.frames < self.longest_frames)
    }

    /// The stream starts anew.
    pub(crate) fn restart(&mut self) -> Result<(), CaptureError> {
        if self.current.frames == 0 {
            self.current.silent_frames = 0;
            return Ok(());
        }
        let fresh = Take::create(&self.limits.folder)?;
        let ended = std::mem::replace(&mut self.current, fresh);
        if self.best.as_ref().is_none_or(|best| best.frames() < ended.frames()) {
            self.best = Some(ended);
        }
        Ok(())
    }

    /// The stretch under way.
    pub(crate) fn current(&self) -> &Take {
        &self.current
    }

    /// Frames of the longest stretch that has ended.
    pub(crate) fn best_frames(&self) -> usize {
        self.best.as_ref().map_or(0, Take::frames)
    }

    /// The longest stretch.
    pub(crate) fn finish(self) -> Result<Take, CaptureError> {
        let Self { limits, current, best, .. } = self;
        // No further stretch begins, so no files are made for one: there may be no room for them any more.
        let mut take = best.filter(|best| best.frames() >= current.frames()).unwrap_or(current);
        take.finish().map_err(|error| describe(error, &limits.folder))?;
        Ok(take)
    }
}

/// Whether a chunk holds anything but digital silence.
fn sounds(planes: &[f32]) -> bool {
    planes.iter().any(|sample| *sample != 0.0)
}

fn describe(error: io::Error, folder: &Path) -> CaptureError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            CaptureError::Full { folder: folder.into() }
        }
        _ => CaptureError::File { reason: Cause::new(error) },
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
