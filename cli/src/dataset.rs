//! Where songs live: finds the stems of one song, and the songs of one data set, whatever its layout.
//!
//! Every layout is one small file in `dataset/` with one function that looks at one folder and says which songs it holds.
//! This file walks the folders, asks them, and checks the result. Nothing is decoded here; [`crate::song`] does that.
//!
//! | layout | a song is | stems come from |
//! |---|---|---|
//! | plain, MUSDB18-HQ | a folder with `vocals`, `bass`, `drums`, `other` as WAV or FLAC | the file names |
//! | MUSDB18 | a file `*.stem.mp4` | the streams' order |
//! | MoisesDB | a folder with `data.json` | track types, through the instrument table |
//! | MedleyDB | a folder with `<Track>_STEMS/` | `<Track>_METADATA.yaml`, through the instrument table |
//! | Slakh2100 | a folder with `metadata.yaml` and `stems/` | instrument classes, through the instrument table |

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::Stem;

pub mod instruments;
mod medleydb;
mod moisesdb;
mod musdb18;
mod plain;
mod slakh;
mod yaml;

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
    /// A WAV or FLAC file.
    File(PathBuf),
    /// One audio stream of a stem file (`.stem.mp4`), read through ffmpeg.
    Stream {
        /// The stem file.
        path: PathBuf,
        /// Which of its audio streams, from 0.
        index: u32,
    },
}

impl Source {
    /// The file it lies in.
    pub fn path(&self) -> &Path {
        match self {
            Source::File(path) | Source::Stream { path, .. } => path,
        }
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
        self.sources().map(Source::path).chain(self.documents.iter().map(PathBuf::as_path))
    }
}

/// How a data set lays out its songs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Layout {
    /// Whatever is recognized, folder by folder
    #[default]
    Auto,
    /// `<song>/{vocals,bass,drums,other}.{wav,flac}`, also MUSDB18-HQ
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

/// Reads one plain folder as a song.
///
/// # Errors
/// The folder cannot be listed, or two files claim the same stem. A folder without stems gives an empty song.
pub fn song_in(folder: &Path) -> Result<SongFiles> {
    let song = plain::song(folder)?;
    match song.problem {
        Some(problem) => bail!(problem),
        None => Ok(song),
    }
}

/// What a file of this name would be taken for in its folder, if that is a folder of stems; none when it is left alone.
pub fn role_among_stems(path: &Path) -> Option<&'static str> {
    let role = plain::role(&audio_name_of(path)?)?;
    let is_song = plain::song(path.parent()?).is_ok_and(|song| !song.is_empty() || song.problem.is_some());
    is_song.then_some(role.name())
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
            "{} holds no songs; expected <song>/{{vocals,bass,drums,other}}.{{wav,flac}} or a known data set in it",
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

/// A file's name without its ending, in lower case, when there is a WAV or FLAC file.
fn audio_name(path: &Path) -> Option<String> {
    audio_name_of(path).filter(|_| path.is_file())
}

/// The same of a file that need not be there.
fn audio_name_of(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let name = path.file_stem()?.to_str()?.to_ascii_lowercase();
    ["wav", "flac"].contains(&extension.as_str()).then_some(name)
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
