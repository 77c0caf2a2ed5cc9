//! Where results may go: the one check that every command makes before any work.
//!
//! Nothing that exists is lost without being meant: an output is no input and no other output, also by another name, through
//! a link or as a hard link. What a single place can take is decided in [`crate::place`].

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::dataset::assignment;
use crate::file_output::temporary_file;
use crate::identity::{Identity, unlinked};
use crate::place::{Content, Place, PlaceError, folder_of, is_standard_output, no_folder};

/// What one command reads and writes.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<(PathBuf, Content)>,
    folders: Vec<PathBuf>,
    inputs: Vec<PathBuf>,
}

impl Outputs {
    /// A command that reads and writes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Audio is written there.
    pub fn audio(mut self, path: &Path) -> Self {
        self.files.push((path.to_owned(), Content::Audio));
        self
    }

    /// Text is written to each of these places: those of options that were given.
    pub fn texts<'a>(mut self, paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        self.files.extend(paths.into_iter().map(|path| (path.clone(), Content::Text)));
        self
    }

    /// Everything at or below these paths may be replaced; they need not exist yet.
    pub fn fills<P: Into<PathBuf>>(mut self, folders: impl IntoIterator<Item = P>) -> Self {
        self.folders.extend(folders.into_iter().map(Into::into));
        self
    }

    /// These files are read, and of folders all that is in them.
    pub fn reads<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.inputs.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Fails before the work when an output would destroy something, or could not be written after it. Nothing is changed.
    ///
    /// # Errors
    /// One sentence that names the output and says why not.
    pub fn check(&self) -> Result<(), OutputError> {
        let mut outputs = Vec::new();
        for (path, content) in &self.files {
            let place = Place::of(path).and_then(|place| place.accepting(*content).map(|()| place));
            outputs.push(place.map_err(cannot(path))?);
        }
        self.apart_from_inputs(&outputs)?;
        self.apart_from_each_other(&outputs)?;
        for place in &outputs {
            mistakable(place).map_or(Ok(()), Err).map_err(cannot(&place.named))?;
            let folder = if place.is_stream() { Ok(()) } else { try_folder(&folder_of(&place.real)) };
            folder.map_err(cannot(&place.named))?;
        }
        for folder in &self.folders {
            try_nearest_folder(folder).map_err(cannot(folder))?;
        }
        Ok(())
    }

    fn apart_from_inputs(&self, outputs: &[Place]) -> Result<(), OutputError> {
        for input in &self.inputs {
            let read = Identity::of(input);
            for place in outputs.iter().filter(|place| !place.is_stream()) {
                if Identity::of(&place.real) == read {
                    let by_another_name = (*input != place.named).then(|| input.clone());
                    return Err(cannot(&place.named)(Refusal::Read { by_another_name }));
                }
                if input.is_dir() && read.holds(&place.real) {
                    return Err(cannot(&place.named)(Refusal::WithinInput(input.clone())));
                }
            }
            for folder in &self.folders {
                let (input_real, folder_real) = (unlinked(input), unlinked(folder));
                let inside = input.is_dir() && read.holds(&folder_real);
                if inside || Identity::of(folder).holds(&input_real) {
                    return Err(OutputError::NotApart { folder: folder.clone(), input: input.clone() });
                }
            }
        }
        Ok(())
    }

    fn apart_from_each_other(&self, outputs: &[Place]) -> Result<(), OutputError> {
        for (n, one) in outputs.iter().enumerate() {
            // Two results may well go to the same terminal, or to nowhere.
            let shared = one.is_stream() && !is_standard_output(&one.named);
            let same = |other: &&Place| !shared && Identity::of(&one.real) == Identity::of(&other.real);
            if let Some(other) = outputs[n + 1..].iter().find(same) {
                return Err(cannot(&one.named)(Refusal::SameAs(other.named.clone())));
            }
            if let Some(folder) = self.folders.iter().find(|folder| Identity::of(folder).holds(&one.real)) {
                return Err(cannot(&one.named)(Refusal::WithinOutput(folder.clone())));
            }
        }
        Ok(())
    }
}

/// Why the outputs of a command are refused before any work.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// One of them cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The output.
        path: PathBuf,
        /// What stands against it.
        #[source]
        reason: Refusal,
    },
    /// A folder that is filled and an input lie in one another.
    #[error("the output folder {} must lie outside of {}", folder.display(), input.display())]
    NotApart {
        /// The folder.
        folder: PathBuf,
        /// The input.
        input: PathBuf,
    },
}

/// What stands against an output: half a sentence, to be put behind its path.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is an input.
    #[error("{} is read by this command", by_another_name.as_ref().map_or("it".into(), |path| path.display().to_string()))]
    Read {
        /// How the input is called, when it is not called like the output.
        by_another_name: Option<PathBuf>,
    },
    /// It lies in a folder that is an input.
    #[error("it lies in {}, which is read by this command", .0.display())]
    WithinInput(PathBuf),
    /// It is another output as well.
    #[error("{} is the same file; give each output its own", .0.display())]
    SameAs(PathBuf),
    /// It lies in a folder that is filled.
    #[error("it lies in the output folder {}", .0.display())]
    WithinOutput(PathBuf),
    /// In a folder of stems it would be taken for one of them, or for the human mix.
    #[error("among the stems of a song it would be read as {0}; give it another name or folder")]
    Mistakable(&'static str),
    /// Nothing can be written there.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// The sentence about a path that cannot be written.
fn cannot<R: Into<Refusal>>(path: &Path) -> impl FnOnce(R) -> OutputError {
    let path = path.to_owned();
    |reason| OutputError::Unwritable { path, reason: reason.into() }
}

/// Why the name of an output would mislead.
fn mistakable(place: &Place) -> Option<Refusal> {
    assignment::role_of_new(&place.real).map(Refusal::Mistakable)
}

/// Whether a folder can be made, and filled.
fn try_nearest_folder(folder: &Path) -> Result<(), PlaceError> {
    let real = unlinked(folder);
    match real.ancestors().find(|part| part.exists()) {
        Some(there) if there.is_dir() => try_folder(there),
        Some(there) if there == real && there.is_file() => Ok(()),
        Some(there) => Err(PlaceError::NotAFolder(there.to_owned())),
        None => Err(no_folder(folder)),
    }
}

/// Makes and removes a file in a folder.
fn try_folder(folder: &Path) -> Result<(), PlaceError> {
    let Err(source) = temporary_file(folder, ".tributary.").and_then(tempfile::NamedTempFile::close) else {
        return Ok(());
    };
    let folder = folder.to_owned();
    Err(match source.kind() {
        ErrorKind::PermissionDenied => PlaceError::Denied { folder, source },
        _ => PlaceError::Unwritable { folder, source },
    })
}
