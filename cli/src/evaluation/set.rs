//! Where mixes lie: one song named by its files, or a folder with one folder a song.
//!
//! | audio file in a song's folder | is |
//! |---|---|
//! | `reference`, `mixture` or `human_mix` | the human mix; the first of these that exists |
//! | `vocals`, `bass`, `drums`, `other` | a stem; any may be missing |
//! | anything else | the mix of the system with that name |
//!
//! Songs of the known data sets come with their human mix and their stems, and without further mixes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_audio_io::dataset::{self, Instruments, Layout, Rule, SongFiles, Source};
use tributary_dsp::Stem;

use super::song::Entry;

/// Names of the human mix, the preferred first.
const REFERENCE_NAMES: [&str; 3] = ["reference", "mixture", "human_mix"];
/// How many folders deep songs are looked for, as in data sets: set, subset, song.
const MAX_DEPTH: usize = 3;

/// Finds the songs of a set, sorted by name; folders without a human mix are not songs. `folder` may be a song itself.
///
/// # Errors
/// A folder cannot be listed, or none holds a song.
pub fn find(folder: &Path) -> Result<Vec<Entry>> {
    let mut songs = Vec::new();
    if folder.is_dir() {
        walk(folder, 0, &mut songs)?;
    }
    let known = match folder.is_dir() {
        true => dataset::find_songs(folder, Layout::Auto, &Instruments::default()).unwrap_or_default(),
        false => vec![dataset::song_in(folder)?],
    };
    for files in known {
        let is_new = songs.iter().all(|song: &Entry| song.name != files.name);
        if let (true, Some(reference), None) = (is_new, &files.mixture, &files.problem) {
            let (name, reference) = (files.name.clone(), reference.clone());
            songs.push(Entry { name, reference, mixes: Vec::new(), stems: Some(files) });
        }
    }
    songs.sort_by(|a, b| a.name.cmp(&b.name));
    if songs.is_empty() {
        bail!(
            "{} holds no song: expected <song>/reference.wav (or mixture, human_mix) and <song>/<system>.wav",
            folder.display()
        );
    }
    Ok(songs)
}

/// Collects the song that a folder is, or those in the folders within.
fn walk(folder: &Path, depth: usize, songs: &mut Vec<Entry>) -> Result<()> {
    let song = song_in(folder)?;
    let is_song = song.is_some();
    songs.extend(song);
    // The folder that was named may hold songs beside being one.
    if depth < MAX_DEPTH && (!is_song || depth == 0) {
        let hidden = |path: &PathBuf| dataset::file_name(path).starts_with('.');
        for path in entries(folder)?.into_iter().filter(|path| path.is_dir() && !hidden(path)) {
            walk(&path, depth + 1, songs)?;
        }
    }
    Ok(())
}

/// The song in a folder, if it holds a human mix.
fn song_in(folder: &Path) -> Result<Option<Entry>> {
    let files: Vec<(String, PathBuf)> =
        entries(folder)?.into_iter().filter_map(|path| Some((audio_name(&path)?, path))).collect();
    let Some(reference) =
        REFERENCE_NAMES.iter().find_map(|wanted| files.iter().find(|(name, _)| name == wanted))
    else {
        return Ok(None);
    };
    let is_stem = |name: &str| Stem::from_name(name).is_some();
    let mixes = files.iter().filter(|(name, _)| !is_stem(name) && !REFERENCE_NAMES.contains(&name.as_str()));
    let stems = if files.iter().any(|(name, _)| is_stem(name)) {
        Some(dataset::exact_song_in(folder)?)
    } else {
        None
    };
    Ok(Some(Entry {
        name: dataset::file_name(folder),
        reference: Source::File(reference.1.clone()),
        mixes: mixes.cloned().collect(),
        stems,
    }))
}

/// The stems of a folder.
///
/// # Errors
/// The folder cannot be listed or holds no stem.
pub fn stems_in(folder: &Path, rules: &[Rule]) -> Result<SongFiles> {
    let files = dataset::song_by(folder, rules)?;
    if files.is_empty() {
        bail!("{} holds no stem: expected vocals, bass, drums or other as audio files", folder.display());
    }
    Ok(files)
}

/// File name without its ending, if it is audio.
fn audio_name(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    (dataset::is_audio(path) && path.is_file() && !name.starts_with('.')).then(|| name.to_owned())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed =
        std::fs::read_dir(folder).with_context(|| format!("cannot list the folder {}", folder.display()))?;
    let mut paths = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot list the folder {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}
