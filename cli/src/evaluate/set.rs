//! Where mixes lie: one song named by its files, or a folder with one folder a song.
//!
//! | audio file in a song's folder | is |
//! |---|---|
//! | `reference`, `mixture` or `human_mix` | the human mix; the first of these that exists |
//! | `vocals`, `bass`, `drums`, `other` | a stem; any may be missing |
//! | anything else | the mix of the system with that name |

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tributary_dsp::Stem;

use super::song::Entry;
use crate::dataset::{self, Rule, SongFiles};

/// Names of the human mix, the preferred first.
const REFERENCE_NAMES: [&str; 3] = ["reference", "mixture", "human_mix"];
/// Finds the songs of a set, sorted by name; folders without a human mix are not songs. `folder` may be a song itself.
///
/// # Errors
/// A folder cannot be listed, or none holds a song.
pub fn find(folder: &Path) -> Result<Vec<Entry>> {
    let mut songs = Vec::new();
    songs.extend(song_in(folder)?);
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        songs.extend(song_in(&path)?);
    }
    if songs.is_empty() {
        bail!(
            "{} holds no song: expected <song>/reference.wav (or mixture, human_mix) and <song>/<system>.wav",
            folder.display()
        );
    }
    Ok(songs)
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
        reference: reference.1.clone(),
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
