//! What a folder holds, before anybody asks what it means: visible entries in order, audio by its ending, and the one file
//! that says what is what.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The file beside the audio that says what is what.
pub const STEMS_FILE: &str = "stems.toml";

/// Endings of audio files in lower case, whether they can be read or not: a stem is not missing because it cannot be read.
const AUDIO_ENDINGS: [&str; 28] = [
    "wav", "wave", "bwf", "rf64", "w64", "flac", "aif", "aiff", "aifc", "caf", "mp3", "mp2", "ogg", "oga",
    "opus", "m4a", "mp4", "m4b", "mov", "webm", "mka", "aac", "alac", "wma", "wv", "ape", "au", "amr",
];

/// Endings of files that hold all stems of a song.
const STEM_FILE_ENDINGS: [&str; 2] = [".stem.mp4", ".stem.m4a"];
/// Visible subfolders, sorted.
pub fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = sorted_entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// Visible entries, sorted; hidden ones hold our own partial work, or a file system's.
pub fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// Whether a file's ending is that of audio; stem files are songs of their own.
pub fn is_audio(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| AUDIO_ENDINGS.contains(&&*ending)) && !is_stem_file(path)
}

/// Whether a file's ending is that of a stem file.
pub fn is_stem_file(path: &Path) -> bool {
    stem_file_song(path).is_some()
}

/// The song's name, when the file's ending is that of a stem file.
pub fn stem_file_song(path: &Path) -> Option<String> {
    let name = file_name(path);
    let ending = STEM_FILE_ENDINGS.iter().find(|ending| name.to_ascii_lowercase().ends_with(*ending))?;
    Some(name[..name.len() - ending.len()].to_owned())
}
