//! Results on disk: audio and text. Writing never leaves half a file behind: it goes to a temporary file in the
//! same folder, reaches the disk, and only then takes the final name. Where that may be is decided in [`crate::outputs`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;
use tributary_dsp::StereoBuffer;

use crate::error::{AudioFileError, unwritable};
use crate::place::{Place, folder_of, is_standard_output};
use crate::writer::{AudioFormat, AudioSink, Container};

/// How long a temporary file without an owner is left alone: its owner may be about to lock it.
const OWNERLESS: Duration = Duration::from_secs(60);
/// Bytes of a file's name that go into that of its temporary file: both stay below the 255 that file systems allow.
const MOST_NAME_BYTES: usize = 180;
/// How the names of temporary files end.
const TEMPORARY_END: &str = ".part";

/// Bytes that are collected before the system is asked to write them.
const WRITE_BYTES: usize = 1 << 20;

/// Writes stereo audio as a 32-bit float WAV; an existing file is replaced only by a complete one.
///
/// # Errors
/// [`AudioFileError::Write`] when the folder is missing, the disk is full, …
pub fn write_wav(path: &Path, audio: &StereoBuffer, sample_rate_hz: u32) -> Result<(), AudioFileError> {
    let container = Container::Wav;
    let frames = audio.frames() as u64;
    let format = AudioFormat { container, sample_rate_hz, frames, samples: container.samples() };
    write_audio_with(path, format, |sink| sink.write(&audio.left, &audio.right))
}

/// Writes audio of any format, piece by piece: `fill` appends to the file. When it fails, nothing is written; to a pipe or a
/// device, what has gone has gone.
///
/// # Errors
/// That of `fill`; otherwise as [`write_wav`].
pub fn write_audio_with<T, E: From<AudioFileError>>(
    path: &Path,
    format: AudioFormat,
    fill: impl FnOnce(&mut AudioSink<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let write = |out: &mut dyn Write| {
        let mut out = BufWriter::with_capacity(WRITE_BYTES, out);
        let mut sink = AudioSink::begin(&mut out, format).map_err(unwritable)?;
        let filled = fill(&mut sink)?;
        Ok((filled, sink.finish()?))
    };
    let place = Place::of(path).map_err(unwritable)?;
    if place.is_stream() {
        return write(&mut *open_stream(path)?).map(|(filled, _)| filled);
    }
    replace_file(path, |mut file| {
        let (filled, header) = write(&mut file)?;
        if let Some(header) = header {
            let rewritten = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header));
            rewritten.map_err(unwritable)?;
        }
        Ok(filled)
    })
}

/// Standard output, or a pipe or a device.
fn open_stream(path: &Path) -> Result<Box<dyn Write>, AudioFileError> {
    if is_standard_output(path) {
        return Ok(Box::new(io::stdout().lock()));
    }
    Ok(Box::new(OpenOptions::new().append(true).open(path).map_err(unwritable)?))
}

/// Writes text (a report, targets) with the same promise as [`write_wav`]; to a pipe or a device it is simply written.
///
/// # Errors
/// [`AudioFileError::Write`] with the system's reason.
pub fn write_text(path: &Path, text: &str) -> Result<(), AudioFileError> {
    let write =
        |out: &mut dyn Write| out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable);
    let place = Place::of(path).map_err(unwritable)?;
    if place.is_stream() {
        return write(&mut *open_stream(path)?);
    }
    replace_file(path, |mut file| write(&mut file))
}

/// Lets `write` fill a temporary file beside what `path` leads to, brings it to the disk, and gives it the final name.
fn replace_file<T, E: From<AudioFileError>>(
    path: &Path,
    write: impl FnOnce(&File) -> Result<T, E>,
) -> Result<T, E> {
    let place = Place::of(path).and_then(Place::replaceable).map_err(unwritable)?;
    let real = place.real();
    remove_ownerless(real);
    let temporary = temporary_file(&folder_of(real), &temporary_start(real)).map_err(unwritable)?;
    // Held as long as the file is open. Where locks are unknown, the file merely looks as if it had no owner.
    let _ = temporary.as_file().try_lock();
    let written = write(temporary.as_file())?;
    temporary.as_file().sync_all().map_err(unwritable)?;
    if let Ok(previous) = fs::metadata(real) {
        fs::set_permissions(temporary.path(), previous.permissions()).map_err(unwritable)?;
    }
    temporary.persist(real).map_err(|failed| unwritable(failed.error))?;
    sync_folder(real);
    Ok(written)
}

/// A new file in a folder that no other run and no other thread uses, gone when dropped unless it gets another name. Who
/// may read it is decided as for every other new file.
pub(crate) fn temporary_file(folder: &Path, start: &str) -> io::Result<NamedTempFile> {
    let start = format!("{start}{}-", std::process::id());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&start).suffix(TEMPORARY_END);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// How the names of a file's temporary files begin.
fn temporary_start(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let end = (0..=MOST_NAME_BYTES).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    format!(".{}.", &name[..end])
}

/// Removes what runs that were killed have left of the same result. A file that somebody still writes is locked.
fn remove_ownerless(path: &Path) {
    let start = temporary_start(path);
    let Ok(entries) = fs::read_dir(folder_of(path)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unique = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix(TEMPORARY_END));
        let ours = unique.and_then(|unique| unique.split_once('-')).is_some_and(|(process, random)| {
            process.parse::<u32>().is_ok() && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        let changed = entry.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::now());
        if ours && changed.elapsed().is_ok_and(|age| age > OWNERLESS) {
            // Only a hint to what can go: whatever fails here, the result can still be written.
            let unlocked = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            let _ = if unlocked { fs::remove_file(entry.path()) } else { Ok(()) };
        }
    }
}

/// Makes the rename itself durable. Not every file system offers it, and the file is complete either way.
fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(folder_of(path)) {
        let _ = folder.sync_all();
    }
}

/// Lets a limit on the size of files be an error that can be told, like a full disk, instead of the program's end.
///
/// # Errors
/// The system's reason.
pub fn survive_size_limit() -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::sync::{Arc, atomic::AtomicBool};
        // Nobody asks whether the signal came: the write that it belongs to fails as well.
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}
