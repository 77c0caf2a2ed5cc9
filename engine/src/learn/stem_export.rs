//! The normalized stems of a song that was just learned, as files: what the analysis has left in its working space, to the
//! sample what whole files are normalized to. Written with the analysis and not whenever somebody asks afterwards, because its
//! working space – 85 MB a minute – is gone when it ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use tributary_dsp::{Cause, Stem, StemStore};

use crate::learn::capture::Take;

/// Frames between two looks at whether the work is still wanted: a second and a half at 44.1 kHz.
const PIECE_FRAMES: usize = 65_536;
/// More folders of one name are not made.
const NUMBER_MAX: usize = 10_000;

/// Why the stems are not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StemExportError {
    #[error("The normalized stems cannot be written to {}: {reason}.", folder.display())]
    Unwritable {
        folder: PathBuf,
        #[source]
        reason: Cause,
    },
    #[error(transparent)]
    Stopped(#[from] Cause),
}

/// Writes `vocals.wav` and so on into a new folder in `folder`, all of them or none; returns the new folder. 32-bit floating
/// point. `progress` is told the share done, 0 to 1, and may stop the work by returning a reason.
///
/// # Errors
/// That reason, or why a file cannot be written.
pub(crate) fn write_stems(
    take: &mut Take,
    rate_hz: u32,
    folder: &Path,
    progress: &mut dyn FnMut(f32) -> Result<(), Cause>,
) -> Result<PathBuf, StemExportError> {
    let seconds = take.frames() as u64 / u64::from(rate_hz.max(1));
    let name = format!("Song of {} min {:02} s", seconds / 60, seconds % 60);
    let failed = |reason: Cause| StemExportError::Unwritable { folder: folder.into(), reason };
    fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
    // Under another name until all of them are there, so that a full disk or a crash never leaves some.
    let part = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = fs::create_dir_all(&part).map_err(|error| failed(error.into())).and_then(|()| {
        for stem in Stem::ALL {
            let path = part.join(stem.name()).with_extension("wav");
            let mut share = |done: f32| progress((stem.index() as f32 + done) / Stem::COUNT as f32);
            write_stem(take.stem(stem), rate_hz, &path, &failed, &mut share)?;
        }
        place(&part, folder, &name).map_err(|error| failed(error.into()))
    });
    if written.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    written
}

fn write_stem(
    stem: &mut dyn StemStore,
    rate_hz: u32,
    path: &Path,
    failed: &dyn Fn(Cause) -> StemExportError,
    progress: &mut dyn FnMut(f32) -> Result<(), Cause>,
) -> Result<(), StemExportError> {
    let spec = WavSpec {
        channels: 2,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut file = WavWriter::create(path, spec).map_err(|error| failed(Cause::new(error)))?;
    let (frames, mut at) = (stem.frames(), 0);
    let (mut left, mut right) = (vec![0.0; PIECE_FRAMES], vec![0.0; PIECE_FRAMES]);
    while at < frames {
        progress(at as f32 / frames as f32)?;
        let count = PIECE_FRAMES.min(frames - at);
        stem.read(at, &mut left[..count], &mut right[..count]).map_err(|error| failed(error.reason))?;
        for sample in left[..count].iter().zip(&right[..count]).flat_map(|(left, right)| [*left, *right]) {
            file.write_sample(sample).map_err(|error| failed(Cause::new(error)))?;
        }
        at += count;
    }
    file.finalize().map_err(|error| failed(Cause::new(error)))
}

/// Gives the folder the first name that is free.
fn place(part: &Path, folder: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 1..NUMBER_MAX {
        let numbered = if number == 1 { name.to_owned() } else { format!("{name} ({number})") };
        let path = folder.join(numbered);
        if !path.exists() {
            fs::rename(part, &path)?;
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many folders are called so"))
}
