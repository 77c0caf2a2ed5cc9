//! The files of one song: what goes into which stem, and what goes nowhere.

use std::path::{Path, PathBuf};

use tributary_dsp::Stem;

use super::folder::{STEMS_FILE, file_name};

/// One piece of audio that goes into a stem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An audio file.
    File(PathBuf),
    /// Two mono files that are the sides of one stereo recording; when they are stereo themselves, they are summed.
    Pair {
        /// The left side.
        left: PathBuf,
        /// The right side.
        right: PathBuf,
    },
    /// One audio stream of a stem file (`.stem.mp4`).
    Stream {
        /// The stem file.
        path: PathBuf,
        /// Which of its audio streams, from 0.
        index: usize,
    },
}

impl Source {
    /// The file it lies in, or the first of two.
    pub fn path(&self) -> &Path {
        match self {
            Source::File(path) | Source::Pair { left: path, .. } | Source::Stream { path, .. } => path,
        }
    }

    /// All files it lies in.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let second = match self {
            Source::Pair { right, .. } => Some(right.as_path()),
            Source::File(_) | Source::Stream { .. } => None,
        };
        std::iter::once(self.path()).chain(second)
    }
}

/// An audio file of a song's folder that goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for Unused {
    /// Says so, and how to use it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, why) = (file_name(&self.path), &self.why);
        write!(f, "{name} is not used: {why}; --assign \"{name}=STEM\" or {} says where it goes", STEMS_FILE)
    }
}

/// The files of one song.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SongFiles {
    /// The folder's or file's name; in a data set it is unique.
    pub name: String,
    /// The subset the song belongs to (`train`, `test`), where the set has any.
    pub subset: Option<String>,
    /// Per stem, in [`Stem`] order, what is summed into it; empty when the stem is missing.
    pub stems: [Vec<Source>; Stem::COUNT],
    /// The human-made mix, when there is one.
    pub mixture: Option<Source>,
    /// Stems whose files were named one by one: what cannot be read is then an error.
    pub named: [bool; Stem::COUNT],
    /// Whether the pieces of a stem are brought to one loudness before they are summed.
    pub balance: bool,
    /// Audio files that go nowhere.
    pub unused: Vec<Unused>,
    /// Plain sentences on what is not obvious about where files go.
    pub remarks: Vec<String>,
    /// What is read beside the audio to know what the audio is.
    pub documents: Vec<PathBuf>,
    /// The licence as the song or the set states it.
    pub licence: Option<String>,
    /// Why the song cannot be used although it was recognized.
    pub problem: Option<String>,
}

impl SongFiles {
    /// A song without files.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            subset: None,
            stems: Default::default(),
            mixture: None,
            named: [false; Stem::COUNT],
            balance: false,
            unused: Vec::new(),
            remarks: Vec::new(),
            documents: Vec::new(),
            licence: None,
            problem: None,
        }
    }

    /// A song named like its folder.
    pub(super) fn of_folder(folder: &Path) -> Self {
        let real = folder.canonicalize();
        Self::new(&file_name(real.as_deref().unwrap_or(folder)))
    }

    /// The same song, but unusable for this reason.
    pub(super) fn with_problem(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    /// Whether no stem has a file.
    pub fn is_empty(&self) -> bool {
        self.stems.iter().all(Vec::is_empty)
    }

    /// Every file of the song, mixture last.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.stems.iter().flatten().chain(&self.mixture)
    }

    /// Every file that reading the song looks into.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.sources().flat_map(Source::paths).chain(self.documents.iter().map(PathBuf::as_path))
    }
}
