//! MoisesDB: per song a folder with `data.json`, which lists stems and, in each, tracks with an id, a type and a file
//! ending; the audio of a track is `<stem name>/<id>.<ending>`. The type decides the stem, or else the stem's name. There
//! is no mixture.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::search::Search;
use super::song_files::{SongFiles, Source};
use crate::error::in_full;

/// The folder itself, when it has a `data.json` that lists stems.
pub fn songs(search: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let path = folder.join("data.json");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let mut song = SongFiles::of_folder(folder);
    song.documents.push(path.clone());
    Ok(vec![match read(search, folder, &path, song.clone()) {
        Ok(song) => song,
        Err(error) => song.with_problem(in_full(&error)),
    }])
}

fn read(search: &Search<'_>, folder: &Path, path: &Path, mut song: SongFiles) -> Result<SongFiles> {
    let text = fs::read_to_string(path).context("data.json cannot be read")?;
    let data: Value = serde_json::from_str(&text).context("data.json cannot be understood")?;
    song.licence = data.get("license").or(data.get("licence")).and_then(Value::as_str).map(str::to_owned);
    for stem in data["stems"].as_array().context("data.json lists no stems")? {
        let stem_name = stem["stemName"].as_str().unwrap_or_default();
        for track in stem["tracks"].as_array().into_iter().flatten() {
            let track_type = track["trackType"].as_str().unwrap_or_default();
            if let Some(stem) = search.instruments.stem_of(&[track_type, stem_name]) {
                song.stems[stem.index()].push(Source::File(track_path(folder, stem_name, track)?));
            }
        }
    }
    Ok(song)
}

/// The file of a track. Both parts come from the data set's JSON, so neither may leave the song's folder.
fn track_path(folder: &Path, stem_name: &str, track: &Value) -> Result<PathBuf> {
    let id = track["id"].as_str().context("data.json has a track without an id")?;
    let ending = track["extension"].as_str().unwrap_or("wav").trim_start_matches('.');
    for part in [stem_name, id, ending] {
        if part.is_empty() || part == ".." || part.contains(['/', '\\']) {
            bail!("data.json names a file that cannot exist: {stem_name}/{id}.{ending}");
        }
    }
    let file = format!("{id}.{ending}");
    let path = folder.join(stem_name).join(&file);
    // Names with a blank appear with an underscore on disk in some releases.
    Ok(if path.exists() { path } else { folder.join(stem_name.replace(' ', "_")).join(file) })
}
