//! Results on disk: 32-bit float WAV and text. Writing never leaves half a file behind: it goes to a temporary file in the
//! same folder, reaches the disk, and only then takes the final name.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tributary_dsp::StereoBuffer;

use crate::audio_file::AudioFileError;

/// Bytes of one stereo frame of 32-bit floats.
const FRAME_BYTES: u64 = 8;
/// A WAV header counts bytes in 32 bits; a little is left for the header itself.
const MAX_WAV_BYTES: u64 = u32::MAX as u64 - 4096;

/// A WAV file in the making; see [`write_wav_with`].
pub struct WavSink<'a> {
    writer: hound::WavWriter<BufWriter<&'a File>>,
    frames: u64,
}

impl WavSink<'_> {
    /// Appends frames; both sides have the same length.
    ///
    /// # Errors
    /// [`AudioFileError::TooLong`] past 4 GiB, [`AudioFileError::Write`] when the disk is full, …
    pub fn write(&mut self, left: &[f32], right: &[f32]) -> Result<(), AudioFileError> {
        self.frames += left.len() as u64;
        if self.frames * FRAME_BYTES > MAX_WAV_BYTES {
            return Err(AudioFileError::TooLong(self.frames));
        }
        for (&left, &right) in left.iter().zip(right) {
            self.writer.write_sample(left)?;
            self.writer.write_sample(right)?;
        }
        Ok(())
    }
}

/// Fails before the work when the result could not be written after it.
///
/// # Errors
/// A sentence: the path is a folder, or lies in none.
pub fn check_output(path: &Path) -> anyhow::Result<()> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        anyhow::bail!("{} cannot be written: there is no folder {}", path.display(), folder.display());
    }
    if path.is_dir() {
        anyhow::bail!("{} cannot be written: it is a folder", path.display());
    }
    Ok(())
}

/// The folder in which a result lies, and temporary files beside it.
pub fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Writes stereo audio as a 32-bit float WAV; an existing file is replaced only by a complete one.
///
/// # Errors
/// [`AudioFileError::TooLong`] past 4 GiB, [`AudioFileError::Write`] when the folder is missing, the disk is full, …
pub fn write_wav(path: &Path, audio: &StereoBuffer, sample_rate_hz: u32) -> Result<(), AudioFileError> {
    write_wav_with(path, sample_rate_hz, |sink| sink.write(&audio.left, &audio.right))
}

/// The same, piece by piece: `fill` appends to the file. When it fails, nothing is written.
///
/// # Errors
/// That of `fill`; otherwise as [`write_wav`].
pub fn write_wav_with<T, E: From<AudioFileError>>(
    path: &Path,
    sample_rate_hz: u32,
    fill: impl FnOnce(&mut WavSink<'_>) -> Result<T, E>,
) -> Result<T, E> {
    replace_file(path, |file| {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: sample_rate_hz,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let writer = hound::WavWriter::new(BufWriter::with_capacity(1 << 20, file), spec)
            .map_err(AudioFileError::from)?;
        let mut sink = WavSink { writer, frames: 0 };
        let filled = fill(&mut sink)?;
        sink.writer.finalize().map_err(AudioFileError::from)?;
        Ok(filled)
    })
}

/// Writes text (a report, targets) with the same promise as [`write_wav`].
///
/// # Errors
/// [`AudioFileError::Write`] with the system's reason.
pub fn write_text(path: &Path, text: &str) -> Result<(), AudioFileError> {
    replace_file(path, |mut file| {
        io::Write::write_all(&mut file, text.as_bytes()).map_err(|e| AudioFileError::Write(e.to_string()))
    })
}

/// Lets `write` fill a temporary file beside `path`, brings it to the disk, and gives it the final name.
fn replace_file<T, E: From<AudioFileError>>(
    path: &Path,
    write: impl FnOnce(&File) -> Result<T, E>,
) -> Result<T, E> {
    let io_error = |e: io::Error| AudioFileError::Write(e.to_string());
    let temporary = Temporary(temporary_beside(path));
    let file = File::create_new(&temporary.0).map_err(io_error)?;
    let written = write(&file)?;
    file.sync_all().map_err(io_error)?;
    drop(file);
    fs::rename(&temporary.0, path).map_err(io_error)?;
    sync_folder(path);
    Ok(written)
}

/// A name in the same folder that no other run and no other thread uses.
fn temporary_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}-{count}.part", std::process::id()))
}

/// Removes the temporary file unless it has been renamed away.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove, and that is the good case.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the rename itself durable. Not every file system offers it, and the file is complete either way.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
