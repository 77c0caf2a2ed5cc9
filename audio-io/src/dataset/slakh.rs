//! Slakh2100: per song a folder with `mix.flac`, `stems/SNN.flac` and `metadata.yaml`, which states for every stem
//! whether it was rendered, whether it is a drum track, and its instrument class and program. Everything is synthetic;
//! there are no vocals.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tributary_dsp::Stem;

use super::search::Search;
use super::song_files::{SongFiles, Source};
use super::yaml::Yaml;
use crate::error::in_full;

/// The folder itself, when it has `metadata.yaml` and `stems`.
pub fn songs(search: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let metadata = folder.join("metadata.yaml");
    if !metadata.is_file() || !folder.join("stems").is_dir() {
        return Ok(Vec::new());
    }
    let mut song = SongFiles::of_folder(folder);
    song.documents.push(metadata.clone());
    song.mixture = audio(&folder.join("mix")).map(Source::File);
    Ok(vec![match read(search, folder, &metadata, song.clone()) {
        Ok(song) => song,
        Err(error) => song.with_problem(in_full(&error)),
    }])
}

fn read(search: &Search<'_>, folder: &Path, metadata: &Path, mut song: SongFiles) -> Result<SongFiles> {
    let text = fs::read_to_string(metadata).context("metadata.yaml cannot be read")?;
    let metadata = Yaml::parse(&text).context("metadata.yaml cannot be understood")?;
    song.licence = metadata.text("license").or(metadata.text("licence"));
    for (name, stem) in metadata.entries("stems") {
        if stem.flag("audio_rendered") == Some(false) || name.contains(['/', '\\']) {
            continue;
        }
        let program = stem.text("midi_program_name").unwrap_or_default();
        let class = stem.text("inst_class").unwrap_or_default();
        let kind = match stem.flag("is_drum") {
            Some(true) => Some(Stem::Drums),
            _ => search.instruments.stem_of(&[&program, &class]),
        };
        // A file the metadata lists but the folder lacks stays in the list, so that reading it says so.
        let path = folder.join("stems").join(&name);
        let path = audio(&path).unwrap_or_else(|| path.with_extension("flac"));
        if let Some(stem) = kind {
            song.stems[stem.index()].push(Source::File(path));
        }
    }
    Ok(song)
}

/// The FLAC or WAV file of this name.
fn audio(path: &Path) -> Option<PathBuf> {
    ["flac", "wav"].map(|ending| path.with_extension(ending)).into_iter().find(|path| path.is_file())
}
