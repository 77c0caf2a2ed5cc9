//! MedleyDB: per song a folder `<Track>` with `<Track>_MIX.wav`, `<Track>_STEMS/<Track>_STEM_NN.wav` and
//! `<Track>_METADATA.yaml`, which names the instrument of every stem. Version 2 keeps the metadata apart, in a folder
//! `Metadata` of the set.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::folder::file_name;
use super::search::Search;
use super::song_files::{SongFiles, Source};
use super::yaml::Yaml;
use crate::error::in_full;

/// Where version 2 keeps the metadata of all songs, seen from the set's folder or the one above.
const METADATA_FOLDERS: [&str; 3] = ["Metadata", "METADATA", "../Metadata"];

/// The folder itself, when it has a folder `<Track>_STEMS`.
pub fn songs(search: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let mut song = SongFiles::of_folder(folder);
    let stems = folder.join(format!("{}_STEMS", song.name));
    if !stems.is_dir() {
        return Ok(Vec::new());
    }
    let mix = folder.join(format!("{}_MIX.wav", song.name));
    song.mixture = mix.is_file().then_some(Source::File(mix));
    Ok(vec![match read(search, folder, &stems, song.clone()) {
        Ok(song) => song,
        Err(error) => song.with_problem(in_full(&error)),
    }])
}

fn read(search: &Search<'_>, folder: &Path, stems: &Path, mut song: SongFiles) -> Result<SongFiles> {
    let path = metadata_path(search.root, folder, &song.name)?;
    song.documents.push(path.clone());
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", file_name(&path)))?;
    let metadata =
        Yaml::parse(&text).with_context(|| format!("{} cannot be understood", file_name(&path)))?;
    song.licence = metadata.text("license").or(metadata.text("licence"));
    for (_, stem) in metadata.entries("stems") {
        let Some(name) = stem.text("filename") else { continue };
        let instruments = stem.texts("instrument");
        let instruments: Vec<&str> = instruments.iter().map(String::as_str).collect();
        if let (Some(stem), Some(name)) =
            (search.instruments.stem_of(&instruments), Path::new(&name).file_name())
        {
            song.stems[stem.index()].push(Source::File(stems.join(name)));
        }
    }
    Ok(song)
}

fn metadata_path(root: &Path, folder: &Path, track: &str) -> Result<PathBuf> {
    let name = format!("{track}_METADATA.yaml");
    let apart = METADATA_FOLDERS.map(|metadata| root.join(metadata).join(&name));
    std::iter::once(folder.join(&name))
        .chain(apart)
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is missing, so the instruments are unknown"))
}
