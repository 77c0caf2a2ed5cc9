//! A place where a result may go: what lies there, where links lead, and whether a file can take it.
//!
//! A symbolic link is followed, so that its target is written and the link stays. What is neither nothing nor an ordinary
//! file is never replaced: a device or a pipe is written *to*, everything else is refused.

use std::fs::{self, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::writer::format::Container;

/// Links that are followed before they count as a circle, as Linux does.
const MOST_LINKS: usize = 40;

/// Why nothing can be written at a place: half a sentence, to be put behind the path.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A folder lies there.
    #[error("it is a folder")]
    IsFolder,
    /// A file that may not be changed lies there.
    #[error("it is write-protected")]
    WriteProtected,
    /// Neither a file nor something to write to.
    #[error("it is no ordinary file")]
    NotOrdinary,
    /// The folder of the result is missing.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// A file lies where a folder is needed.
    #[error("{} is no folder", .0.display())]
    NotAFolder(PathBuf),
    /// Links that never end.
    #[error("its links lead in a circle")]
    LinkCircle,
    /// A name that says neither of the kinds of audio that are written.
    #[error("audio is written as WAV or FLAC, so its name has to end in .wav or .flac")]
    NotAudioName,
    /// The folder lets nobody write.
    #[error("nothing can be written in {}", folder.display())]
    Denied {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file in the folder cannot be made, for another reason.
    #[error("in {}: {source}", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The path itself cannot be looked at.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Whatever its name.
    Text,
    /// WAV or FLAC, as its name says.
    Audio,
}

/// What lies at an output's place.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Nothing,
    File,
    /// Something to write to that is no file: a terminal, a pipe, the null device.
    Stream,
    /// What can neither be replaced nor written to.
    Other(fn() -> PlaceError),
}

impl Kind {
    fn of(metadata: &Metadata) -> Self {
        match metadata.file_type() {
            kind if kind.is_dir() => Kind::Other(|| PlaceError::IsFolder),
            kind if kind.is_file() && metadata.permissions().readonly() => {
                Kind::Other(|| PlaceError::WriteProtected)
            }
            kind if kind.is_file() => Kind::File,
            kind if is_stream(kind) => Kind::Stream,
            _ => Kind::Other(|| PlaceError::NotOrdinary),
        }
    }
}

#[cfg(unix)]
fn is_stream(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_char_device() || kind.is_fifo()
}

#[cfg(not(unix))]
fn is_stream(_: FileType) -> bool {
    false
}

/// Where an output leads once its links are followed.
#[derive(Debug)]
pub struct Place {
    /// As the user wrote it.
    pub(crate) named: PathBuf,
    /// Where the file is made.
    pub(crate) real: PathBuf,
    kind: Kind,
}

impl Place {
    /// Follows a path; a dash by itself is standard output.
    ///
    /// # Errors
    /// The reason why nothing can be written there, to be put behind the path.
    pub fn of(path: &Path) -> Result<Self, PlaceError> {
        let named = path.to_owned();
        match fs::metadata(path) {
            _ if is_standard_output(path) => Ok(Self { real: named.clone(), named, kind: Kind::Stream }),
            Ok(_) if is_open_file(path) => Ok(Self { real: named.clone(), named, kind: Kind::Stream }),
            Ok(metadata) => {
                let kind = Kind::of(&metadata);
                let real =
                    if matches!(kind, Kind::Stream) { Ok(named.clone()) } else { fs::canonicalize(path) };
                Ok(Self { named, real: real?, kind })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Self { named, real: target_of(path)?, kind: Kind::Nothing })
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => Err(no_folder(path)),
            Err(error) => Err(error.into()),
        }
    }

    /// Where the file is made.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Whether it is written to as it is, instead of being replaced.
    pub fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream)
    }

    /// A folder for the temporary files of the work on this result: its own where it is a file.
    pub fn scratch_folder(&self) -> PathBuf {
        if self.is_stream() { std::env::temp_dir() } else { folder_of(&self.real) }
    }

    /// The same place, if an ordinary file can take it.
    ///
    /// # Errors
    /// The reason why not.
    pub fn replaceable(self) -> Result<Self, PlaceError> {
        self.accepting(Content::Text).map(|()| self)
    }

    pub(crate) fn accepting(&self, content: Content) -> Result<(), PlaceError> {
        match self.kind {
            Kind::Nothing | Kind::File
                if content == Content::Audio && Container::of(&self.named).is_none() =>
            {
                Err(PlaceError::NotAudioName)
            }
            Kind::Nothing | Kind::File | Kind::Stream => Ok(()),
            Kind::Other(reason) => Err(reason()),
        }
    }
}

/// The folder in which a result lies.
pub fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Whether standard output is meant.
pub fn is_standard_output(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether a path names a file that a program holds open, by which what is written joins what others write there.
fn is_open_file(path: &Path) -> bool {
    ["/proc", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"]
        .iter()
        .any(|start| path.starts_with(start))
}

pub(crate) fn no_folder(path: &Path) -> PlaceError {
    PlaceError::NoFolder(folder_of(path))
}

/// Where a path leads at which there is no file: itself, or the missing target of a link.
fn target_of(path: &Path) -> Result<PathBuf, PlaceError> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(target) = fs::read_link(&path) {
            path = folder_of(&path).join(target);
            continue;
        }
        let Some(name) = path.file_name() else { return Err(PlaceError::IsFolder) };
        let folder = fs::canonicalize(folder_of(&path)).map_err(|_| no_folder(&path))?;
        return if folder.is_dir() { Ok(folder.join(name)) } else { Err(no_folder(&path)) };
    }
    Err(PlaceError::LinkCircle)
}
