//! Where results may go: the one check that every command makes before any work, and the place a result is written to.
//!
//! Nothing that exists is lost without being meant: an output is no input and no other output, also by another name, through
//! a link or as a hard link. A symbolic link is followed, so that its target is written and the link stays. What is neither
//! nothing nor an ordinary file is never replaced: a device or a pipe is written *to*, everything else is refused.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};

use crate::audio_output::Container;
use crate::dataset::assignment;
use crate::file_output::temporary_beside;

/// Links that are followed before they count as a circle, as Linux does.
const MOST_LINKS: usize = 40;

/// What one command reads and writes.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<(PathBuf, Content)>,
    folders: Vec<PathBuf>,
    inputs: Vec<PathBuf>,
}

/// What is written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Whatever its name.
    Text,
    /// WAV or FLAC, as its name says.
    Audio,
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
    pub fn check(&self) -> Result<()> {
        let mut outputs = Vec::new();
        for (path, content) in &self.files {
            let place = Place::of(path).and_then(|place| place.accepting(*content).map(|()| place));
            outputs.push(place.map_err(|reason| cannot(path, &reason))?);
        }
        self.apart_from_inputs(&outputs)?;
        self.apart_from_each_other(&outputs)?;
        for place in &outputs {
            let reason = place.mistakable().map(Err).unwrap_or_else(|| place.try_folder());
            reason.map_err(|reason| cannot(&place.named, &reason))?;
        }
        for folder in &self.folders {
            try_nearest_folder(folder).map_err(|reason| cannot(folder, &reason))?;
        }
        Ok(())
    }

    fn apart_from_inputs(&self, outputs: &[Place]) -> Result<()> {
        for input in &self.inputs {
            let read = Identity::of(input);
            for place in outputs.iter().filter(|place| place.kind != Kind::Stream) {
                if Identity::of(&place.real) == read {
                    let name = if *input == place.named { "it".into() } else { input.display().to_string() };
                    return Err(cannot(&place.named, &format!("{name} is read by this command")));
                }
                if input.is_dir() && read.holds(&place.real) {
                    let reason = format!("it lies in {}, which is read by this command", input.display());
                    return Err(cannot(&place.named, &reason));
                }
            }
            for folder in &self.folders {
                let (input_real, folder_real) = (unlinked(input), unlinked(folder));
                let inside = input.is_dir() && read.holds(&folder_real);
                if inside || Identity::of(folder).holds(&input_real) {
                    bail!("the output folder {} must lie outside of {}", folder.display(), input.display());
                }
            }
        }
        Ok(())
    }

    fn apart_from_each_other(&self, outputs: &[Place]) -> Result<()> {
        for (n, one) in outputs.iter().enumerate() {
            // Two results may well go to the same terminal, or to nowhere.
            let shared = one.kind == Kind::Stream && !is_standard_output(&one.named);
            let same = |other: &&Place| !shared && Identity::of(&one.real) == Identity::of(&other.real);
            let another = outputs[n + 1..].iter().find(same);
            if let Some(other) = another {
                let reason = format!("{} is the same file; give each output its own", other.named.display());
                return Err(cannot(&one.named, &reason));
            }
            if let Some(folder) = self.folders.iter().find(|folder| Identity::of(folder).holds(&one.real)) {
                return Err(cannot(
                    &one.named,
                    &format!("it lies in the output folder {}", folder.display()),
                ));
            }
        }
        Ok(())
    }
}

/// The sentence about a path that cannot be written.
fn cannot(path: &Path, reason: &str) -> anyhow::Error {
    anyhow::anyhow!("{} cannot be written: {reason}", path.display())
}

/// What lies at an output's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    File,
    /// Something to write to that is no file: a terminal, a pipe, the null device.
    Stream,
    /// What can neither be replaced nor written to.
    Other(&'static str),
}

impl Kind {
    fn of(metadata: &Metadata) -> Self {
        match metadata.file_type() {
            kind if kind.is_dir() => Kind::Other("it is a folder"),
            kind if kind.is_file() && metadata.permissions().readonly() => {
                Kind::Other("it is write-protected")
            }
            kind if kind.is_file() => Kind::File,
            kind if is_stream(kind) => Kind::Stream,
            _ => Kind::Other("it is no ordinary file"),
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
    named: PathBuf,
    real: PathBuf,
    kind: Kind,
}

impl Place {
    /// Follows a path; a dash by itself is standard output.
    ///
    /// # Errors
    /// The reason why nothing can be written there, to be put behind the path.
    pub fn of(path: &Path) -> Result<Self, String> {
        let named = path.to_owned();
        match fs::metadata(path) {
            _ if is_standard_output(path) => Ok(Self { real: named.clone(), named, kind: Kind::Stream }),
            Ok(_) if is_open_file(path) => Ok(Self { real: named.clone(), named, kind: Kind::Stream }),
            Ok(metadata) => {
                let kind = Kind::of(&metadata);
                let real = if kind == Kind::Stream { Ok(named.clone()) } else { fs::canonicalize(path) };
                Ok(Self { named, real: real.map_err(|error| error.to_string())?, kind })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Self { named, real: target_of(path)?, kind: Kind::Nothing })
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => Err(no_folder(path)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Where the file is made.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Whether it is written to as it is, instead of being replaced.
    pub fn is_stream(&self) -> bool {
        self.kind == Kind::Stream
    }

    /// A folder for the temporary files of the work on this result: its own where it is a file.
    pub fn scratch_folder(&self) -> PathBuf {
        if self.is_stream() { std::env::temp_dir() } else { folder_of(&self.real) }
    }

    /// The same place, if an ordinary file can take it.
    ///
    /// # Errors
    /// The reason why not.
    pub fn replaceable(self) -> Result<Self, String> {
        self.accepting(Content::Text).map(|()| self)
    }

    fn accepting(&self, content: Content) -> Result<(), String> {
        match self.kind {
            Kind::Nothing | Kind::File
                if content == Content::Audio && Container::of(&self.named).is_none() =>
            {
                Err("audio is written as WAV or FLAC, so its name has to end in .wav or .flac".into())
            }
            Kind::Nothing | Kind::File | Kind::Stream => Ok(()),
            Kind::Other(reason) => Err(reason.into()),
        }
    }

    /// Why this name would mislead: in a folder of stems it would be taken for one of them, or for the human mix.
    fn mistakable(&self) -> Option<String> {
        let role = assignment::role_of_new(&self.real)?;
        Some(format!("among the stems of a song it would be read as {role}; give it another name or folder"))
    }

    /// Makes and removes the file that the result will first be written to.
    fn try_folder(&self) -> Result<(), String> {
        if self.is_stream() {
            return Ok(());
        }
        try_file(&temporary_beside(&self.real))
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

fn no_folder(path: &Path) -> String {
    format!("there is no folder {}", folder_of(path).display())
}

/// Where a path leads at which there is no file: itself, or the missing target of a link.
fn target_of(path: &Path) -> Result<PathBuf, String> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(target) = fs::read_link(&path) {
            path = folder_of(&path).join(target);
            continue;
        }
        let Some(name) = path.file_name() else { return Err("it is a folder".into()) };
        let folder = fs::canonicalize(folder_of(&path)).map_err(|_| no_folder(&path))?;
        return if folder.is_dir() { Ok(folder.join(name)) } else { Err(no_folder(&path)) };
    }
    Err("its links lead in a circle".into())
}

/// A path without links and detours, also when its end does not exist yet.
fn unlinked(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or(path.to_owned());
    let existing = absolute.ancestors().find_map(|part| Some((part, fs::canonicalize(part).ok()?)));
    let Some((part, mut real)) = existing else { return absolute };
    for component in absolute.strip_prefix(part).unwrap_or(Path::new("")).components() {
        match component {
            Component::ParentDir => drop(real.pop()),
            other => real.push(other),
        }
    }
    real
}

/// What makes two paths the same file or folder.
#[derive(Debug)]
enum Identity {
    /// Device and number of what exists.
    Number(u64, u64),
    /// The path without links. File systems differ in whether case matters, so it never makes a difference.
    Path(String),
}

impl Identity {
    fn of(path: &Path) -> Self {
        number_of(path).unwrap_or_else(|| Identity::Path(unlinked(path).to_string_lossy().to_lowercase()))
    }

    /// Whether a path without links is this folder or lies in it.
    fn holds(&self, path: &Path) -> bool {
        path.ancestors().any(|part| Identity::of(part) == *self)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Identity::Number(a, b), Identity::Number(c, d)) => (a, b) == (c, d),
            (Identity::Path(a), Identity::Path(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(unix)]
fn number_of(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some(Identity::Number(metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn number_of(_: &Path) -> Option<Identity> {
    None
}

/// Whether a folder can be made, and filled.
fn try_nearest_folder(folder: &Path) -> Result<(), String> {
    let real = unlinked(folder);
    match real.ancestors().find(|part| part.exists()) {
        Some(there) if there.is_dir() => try_file(&temporary_beside(&there.join("folder"))),
        Some(there) if there == real && there.is_file() => Ok(()),
        Some(there) => Err(format!("{} is no folder", there.display())),
        None => Err(no_folder(folder)),
    }
}

/// Makes and removes a file.
fn try_file(path: &Path) -> Result<(), String> {
    let made = File::create_new(path).and_then(|_| fs::remove_file(path));
    made.map_err(|error: io::Error| match error.kind() {
        ErrorKind::PermissionDenied => format!("nothing can be written in {}", folder_of(path).display()),
        _ => format!("in {}: {error}", folder_of(path).display()),
    })
}
