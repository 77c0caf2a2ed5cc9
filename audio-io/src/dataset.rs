//! Where songs live: finds the stems of one song, and the songs of one data set, whatever its layout.
//!
//! Every layout is one small file in `dataset/` with one function that looks at one folder and says which songs it holds.
//! This file walks the folders, asks them, and checks the result. Nothing is decoded here; [`crate::song`] does that.
//!
//! | layout | a song is | stems come from |
//! |---|---|---|
//! | plain, MUSDB18-HQ | a folder of audio files | `stems.toml` or the file names, see [`assignment`] and [`names`] |
//! | MUSDB18 | a file `*.stem.mp4` | the streams' titles, or their order |
//! | MoisesDB | a folder with `data.json` | track types, through the instrument table |
//! | MedleyDB | a folder with `<Track>_STEMS/` | `<Track>_METADATA.yaml`, through the instrument table |
//! | Slakh2100 | a folder with `metadata.yaml` and `stems/` | instrument classes, through the instrument table |

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

pub mod assignment;
mod folder;
pub mod instruments;
mod medleydb;
mod moisesdb;
mod musdb18;
pub mod names;
mod plain;
mod search;
mod slakh;
mod song_files;
mod yaml;

pub use assignment::Rule;
pub use folder::{STEMS_FILE, file_name, is_audio};
pub use instruments::Instruments;
pub use song_files::{SongFiles, Source, Unused};

use folder::{sorted_entries, subfolders};
use search::Search;

/// How many folders deep songs are looked for: set, provider or subset, song.
const MAX_DEPTH: usize = 3;
/// Folder names that divide a set into parts, in lower case.
const SUBSETS: [&str; 6] = ["train", "test", "valid", "validation", "dev", "omitted"];
/// Characters of a licence text that are kept.
const LICENCE_CHARS: usize = 200;

/// How a data set lays out its songs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Layout {
    /// Whatever is recognized, folder by folder
    #[default]
    Auto,
    /// Folders of audio files that are named like stems, also MUSDB18-HQ
    #[cfg_attr(feature = "clap", value(alias = "musdb18-hq"))]
    Plain,
    /// *.stem.mp4 files
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
/// As [`find`], or there are several songs.
pub fn song_by(path: &Path, rules: &[Rule]) -> Result<SongFiles> {
    match find(path, rules, &Instruments::default())? {
        Found::Song(song) => Ok(*song),
        Found::Set(songs) => Err(is_a_set(path, &songs)),
    }
}

/// What a path is.
#[derive(Debug)]
pub enum Found {
    /// One song, or a folder that holds just one.
    Song(Box<SongFiles>),
    /// Several songs, sorted by name.
    Set(Vec<SongFiles>),
}

/// Finds the song that a path is, or the songs that it holds; in a plain folder these rules come before the names.
///
/// # Errors
/// The folder cannot be listed, its files contradict each other, or nothing in it looks like a song; a rule that fits nothing.
/// A folder without audio gives an empty song.
pub fn find(path: &Path, rules: &[Rule], instruments: &Instruments) -> Result<Found> {
    let mut found = known_layout(path, instruments, rules)?;
    if found.len() > 1 {
        return Ok(Found::Set(found));
    }
    let song = match found.pop() {
        Some(song) => song,
        None => plain::song(path, rules)?,
    };
    if let Some(problem) = &song.problem {
        bail!("{problem}");
    }
    if !song.is_empty() {
        return Ok(Found::Song(Box::new(song)));
    }
    // Loose files of a set, such as demos of it, are no songs.
    match find_songs(path, Layout::Auto, instruments) {
        Ok(songs) => Ok(one_or_many(path, songs)),
        Err(_) if song.unused.is_empty() => Ok(Found::Song(Box::new(song))),
        Err(_) => {
            let names: Vec<String> = song.unused.iter().map(|unused| file_name(&unused.path)).collect();
            bail!(
                "{} holds no stem by its files' names; say where they go with --assign \"{}=vocals\" or in {}: {}",
                path.display(),
                names[0],
                STEMS_FILE,
                names.join(", ")
            )
        }
    }
}

/// A set of one is a song, with a word about where it lies.
pub fn one_or_many(path: &Path, mut songs: Vec<SongFiles>) -> Found {
    match songs.pop() {
        Some(mut song) if songs.is_empty() => {
            let within = song.sources().next().and_then(|source| source.path().parent().map(file_name));
            if let Some(within) = within.filter(|within| *within != file_name(path)) {
                song.remarks.push(format!("the only song in {} is in {within}", path.display()));
            }
            Found::Song(Box::new(song))
        }
        last => {
            songs.extend(last);
            Found::Set(songs)
        }
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
