//! Where songs live: finds the stems of one song, and the songs of one data set, whatever its layout.
//!
//! Every layout is one small file in `dataset/` with one function that looks at one folder and says which songs it holds.
//! This file walks the folders, asks them, and checks the result. Nothing is decoded here; [`crate::song`] does that.
//!
//! | layout | a song is | stems come from |
//! |---|---|---|
//! | plain, MUSDB18-HQ | a folder of audio files | `stems.toml` or the file names, see [`assignment`] and [`names`] |
//! | MUSDB18 | a file `*.stem.mp4` | the streams' order |
//! | MoisesDB | a folder with `data.json` | track types, through the instrument table |
//! | MedleyDB | a folder with `<Track>_STEMS/` | `<Track>_METADATA.yaml`, through the instrument table |
//! | Slakh2100 | a folder with `metadata.yaml` and `stems/` | instrument classes, through the instrument table |

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::Stem;

pub mod assignment;
pub mod instruments;
mod medleydb;
mod moisesdb;
mod musdb18;
pub mod names;
mod plain;
mod slakh;
mod yaml;

pub use assignment::{Rule, is_audio};
pub use instruments::Instruments;

/// How many folders deep songs are looked for: set, provider or subset, song.
const MAX_DEPTH: usize = 3;
/// Folder names that divide a set into parts, in lower case.
const SUBSETS: [&str; 6] = ["train", "test", "valid", "validation", "dev", "omitted"];
/// Characters of a licence text that are kept.
const LICENCE_CHARS: usize = 200;

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
    /// One audio stream of a stem file (`.stem.mp4`), read through ffmpeg.
    Stream {
        /// The stem file.
        path: PathBuf,
        /// Which of its audio streams, from 0.
        index: u32,
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
        write!(
            f,
            "{name} is not used: {why}; --assign \"{name}=STEM\" or {} says where it goes",
            assignment::FILE_NAME
        )
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
            unused: Vec::new(),
            remarks: Vec::new(),
            documents: Vec::new(),
            licence: None,
            problem: None,
        }
    }

    /// A song named like its folder.
    fn of_folder(folder: &Path) -> Self {
        let real = folder.canonicalize();
        Self::new(&file_name(real.as_deref().unwrap_or(folder)))
    }

    /// The same song, but unusable for this reason.
    fn with_problem(mut self, problem: impl Into<String>) -> Self {
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

/// How a data set lays out its songs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Layout {
    /// Whatever is recognized, folder by folder
    #[default]
    Auto,
    /// Folders of audio files that are named like stems, also MUSDB18-HQ
    #[value(alias = "musdb18-hq")]
    Plain,
    /// *.stem.mp4 files; needs ffmpeg
    Musdb18,
    /// `<id>/data.json`
    Moisesdb,
    /// `<Track>/<Track>_STEMS/` with `<Track>_METADATA.yaml`
    Medleydb,
    /// `<Track>/metadata.yaml` with stems/
    Slakh,
}

/// Looks at one folder and returns the songs it holds or is; none when it is not of this layout.
type Recognizer = fn(&Search<'_>, &Path) -> Result<Vec<SongFiles>>;

impl Layout {
    /// The recognizers of this layout, most specific first.
    fn recognizers(self) -> &'static [Recognizer] {
        match self {
            Layout::Auto => &[moisesdb::songs, slakh::songs, medleydb::songs, musdb18::songs, plain::songs],
            Layout::Plain => &[plain::songs],
            Layout::Musdb18 => &[musdb18::songs],
            Layout::Moisesdb => &[moisesdb::songs],
            Layout::Medleydb => &[medleydb::songs],
            Layout::Slakh => &[slakh::songs],
        }
    }
}

/// What a recognizer may want to know beside the folder.
struct Search<'a> {
    root: &'a Path,
    instruments: &'a Instruments,
}

/// Reads one song, whatever its layout.
///
/// # Errors
/// As [`song_by`].
pub fn song_in(path: &Path) -> Result<SongFiles> {
    song_by(path, &[])
}

/// Reads one song, whatever its layout; in a plain folder these rules come before the names.
///
/// # Errors
/// The folder cannot be listed, holds several songs, or its files contradict each other; a rule that fits nothing. A folder
/// without audio gives an empty song.
pub fn song_by(path: &Path, rules: &[Rule]) -> Result<SongFiles> {
    let instruments = Instruments::default();
    let mut found = known_layout(path, &instruments, rules)?;
    if found.is_empty() {
        found.push(plain::song(path, rules)?);
    }
    if found.len() > 1 {
        return Err(is_a_set(path, &found));
    }
    let song = found.swap_remove(0);
    match &song.problem {
        Some(problem) => bail!("{problem}"),
        None if song.is_empty() && !song.unused.is_empty() => {
            let names: Vec<String> = song.unused.iter().map(|unused| file_name(&unused.path)).collect();
            bail!(
                "{} holds no stem by its files' names; say where they go with --assign \"{}=vocals\" or in {}: {}",
                path.display(),
                names[0],
                assignment::FILE_NAME,
                names.join(", ")
            )
        }
        None if song.is_empty() => match find_songs(path, Layout::Auto, &instruments) {
            Ok(songs) => Err(is_a_set(path, &songs)),
            Err(_) => Ok(song),
        },
        None => Ok(song),
    }
}

/// The songs that a path is by a layout of its own; rules are for plain folders only.
fn known_layout(path: &Path, instruments: &Instruments, rules: &[Rule]) -> Result<Vec<SongFiles>> {
    if path.is_file() {
        return musdb18::song(path)
            .map(|song| vec![song])
            .with_context(|| format!("{} is no folder of stems and no .stem.mp4 file", path.display()));
    }
    let search = Search { root: path, instruments };
    let recognizers: [Recognizer; 4] = [moisesdb::songs, slakh::songs, medleydb::songs, musdb18::songs];
    for recognizer in recognizers.into_iter().filter(|_| rules.is_empty()) {
        let found = recognizer(&search, path)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Says that a song was expected and a set is there.
fn is_a_set(path: &Path, songs: &[SongFiles]) -> anyhow::Error {
    const SHOWN: usize = 5;
    let names: Vec<&str> = songs.iter().take(SHOWN).map(|song| song.name.as_str()).collect();
    let more = if songs.len() > SHOWN { ", …" } else { "" };
    anyhow::anyhow!(
        "{} is no song but holds {} ({}{more}); name the folder or file of one of them",
        path.display(),
        songs.len(),
        names.join(", ")
    )
}

/// The stems of a folder in which files of other names are something else, such as mixes.
///
/// # Errors
/// The folder cannot be listed, or two files claim the same stem.
pub fn exact_song_in(folder: &Path) -> Result<SongFiles> {
    let song = plain::exact_song(folder)?;
    match song.problem {
        Some(problem) => bail!(problem),
        None => Ok(song),
    }
}

/// Finds all songs of a set, sorted by name; `root` may also be a single song.
///
/// # Errors
/// `root` cannot be listed, holds no song, or two songs have the same name.
pub fn find_songs(root: &Path, layout: Layout, instruments: &Instruments) -> Result<Vec<SongFiles>> {
    let mut songs = Vec::new();
    walk(&Search { root, instruments }, root, layout, 0, &mut songs)?;
    if songs.is_empty() {
        bail!(
            "{} holds no songs; expected folders with vocals, bass, drums and other as audio files, or a known data set",
            root.display()
        );
    }
    let set_licence = stated_licence(root);
    for song in &mut songs {
        song.licence = song.licence.take().or_else(|| set_licence.clone());
    }
    songs.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = songs.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("{} holds two songs named \"{}\"; rename one", root.display(), pair[0].name);
    }
    Ok(songs)
}

/// Asks the recognizers about a folder, and goes deeper where none knows it.
fn walk(
    search: &Search<'_>,
    folder: &Path,
    layout: Layout,
    depth: usize,
    songs: &mut Vec<SongFiles>,
) -> Result<()> {
    for recognizer in layout.recognizers() {
        let found = recognizer(search, folder)?;
        if found.is_empty() {
            continue;
        }
        let parent = folder.parent().filter(|_| depth > 0);
        songs.extend(found.into_iter().map(|mut song| {
            // A file is a song of the folder it lies in; a folder is a song of the folder above.
            let whole_folder = song.name == file_name(folder);
            song.subset = if whole_folder { parent.and_then(subset_name) } else { subset_name(folder) };
            song.licence = song.licence.take().or_else(|| stated_licence(folder).filter(|_| whole_folder));
            song
        }));
        return Ok(());
    }
    if depth < MAX_DEPTH {
        for inner in subfolders(folder)? {
            walk(search, &inner, layout, depth + 1, songs)?;
        }
    }
    Ok(())
}

fn subset_name(folder: &Path) -> Option<String> {
    let name = file_name(folder);
    SUBSETS.contains(&name.to_ascii_lowercase().as_str()).then_some(name)
}

/// The first line of a licence file in a folder.
fn stated_licence(folder: &Path) -> Option<String> {
    let path = sorted_entries(folder).ok()?.into_iter().find(|path| {
        let name = file_name(path).to_ascii_lowercase();
        (name.starts_with("license") || name.starts_with("licence")) && path.is_file()
    })?;
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LICENCE_CHARS).collect())
}

/// Visible subfolders, sorted.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sorted_entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// Visible entries, sorted; hidden ones hold our own partial work, or a file system's.
fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot list the folder {}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if !file_name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The last part of a path, for messages and names.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}
