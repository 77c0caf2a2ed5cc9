//! Where songs live: finds the stems of one song, and the songs of one data set.
//!
//! The plain layout is `<set>/<song>/<stem>.{wav,flac}`, optionally with `mixture.*`, and optionally one more level for
//! subsets (`train/`, `test/`), which is MUSDB18-HQ's. Names are compared without regard to case. Nothing is read here;
//! [`crate::song`] does that.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::Stem;

/// File name endings that are read, in lower case.
const EXTENSIONS: [&str; 2] = ["wav", "flac"];
/// File stems that hold the human-made mix, in lower case.
const MIXTURE_NAMES: [&str; 2] = ["mixture", "mix"];

/// The files of one song.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SongFiles {
    /// The folder's name; in a data set it is unique.
    pub name: String,
    /// The subset the song belongs to (`train`, `test`), where the set has any.
    pub subset: Option<String>,
    /// Per stem, in [`Stem`] order, the files that are summed into it; empty when the stem is missing.
    pub stems: [Vec<PathBuf>; Stem::COUNT],
    /// The human-made mix, when there is one.
    pub mixture: Option<PathBuf>,
}

impl SongFiles {
    /// A song of explicitly named files.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), subset: None, stems: Default::default(), mixture: None }
    }

    /// Whether no stem has a file.
    pub fn is_empty(&self) -> bool {
        self.stems.iter().all(Vec::is_empty)
    }
}

/// Reads one folder as a song.
///
/// # Errors
/// The folder cannot be listed, or two files claim the same stem. A folder without stems gives an empty song.
pub fn song_in(folder: &Path) -> Result<SongFiles> {
    let name =
        folder.canonicalize().ok().and_then(|f| f.file_name().map(|n| n.to_string_lossy().into_owned()));
    let mut song = SongFiles::new(&name.unwrap_or_else(|| "song".into()));
    for path in sorted_entries(folder)? {
        let Some(role) = audio_name(&path) else { continue };
        if let Some(stem) = Stem::from_name(&role) {
            let files = &mut song.stems[stem.index()];
            if let Some(other) = files.first() {
                bail!("{} and {} are both the {role} stem; keep one", file_name(other), file_name(&path));
            }
            files.push(path);
        } else if MIXTURE_NAMES.contains(&role.as_str()) && song.mixture.is_none() {
            song.mixture = Some(path);
        }
    }
    Ok(song)
}

/// Finds all songs of a set, sorted by name; `root` may also be a single song.
///
/// # Errors
/// `root` cannot be listed, holds no song, or two songs (of two subsets) have the same name.
pub fn find_songs(root: &Path) -> Result<Vec<SongFiles>> {
    let own = song_in(root)?;
    if !own.is_empty() {
        return Ok(vec![own]);
    }
    let mut songs = Vec::new();
    for folder in subfolders(root)? {
        let song = song_in(&folder)?;
        if !song.is_empty() {
            songs.push(song);
            continue;
        }
        for inner in subfolders(&folder)? {
            let song = song_in(&inner)?;
            if !song.is_empty() {
                songs.push(SongFiles { subset: Some(file_name(&folder)), ..song });
            }
        }
    }
    if songs.is_empty() {
        bail!(
            "{} holds no songs; expected <song>/{{vocals,bass,drums,other}}.{{wav,flac}} in it",
            root.display()
        );
    }
    songs.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = songs.windows(2).find(|pair| pair[0].name == pair[1].name) {
        bail!("{} holds two songs named \"{}\"; rename one", root.display(), pair[0].name);
    }
    Ok(songs)
}

/// The lower-case file stem of an audio file, or none for anything else.
fn audio_name(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let name = path.file_stem()?.to_str()?.to_ascii_lowercase();
    (EXTENSIONS.contains(&extension.as_str()) && path.is_file()).then_some(name)
}

/// Visible subfolders, sorted; hidden ones hold our own partial work.
fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sorted_entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

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
