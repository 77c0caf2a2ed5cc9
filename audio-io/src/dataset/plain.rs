//! Plain folders: the file names say which stem a file is, or a `stems.toml` beside them does. MUSDB18-HQ is laid out like
//! this, below `train` and `test`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tributary_dsp::Stem;

use super::assignment::{Assignment, Rule, Use, assign};
use super::folder::{STEMS_FILE, file_name, is_audio, is_stem_file, sorted_entries};
use super::search::Search;
use super::song_files::{SongFiles, Source, Unused};
use crate::error::in_full;

/// The folder itself, when its files are named like stems. The folder that the user named may have a single part of one.
pub fn songs(search: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let assignment = match assign(folder, &[]) {
        Ok(assignment) => assignment,
        // One song's file cannot be used: the others go on.
        Err(error) if folder.join(STEMS_FILE).is_file() => {
            return Ok(vec![SongFiles::of_folder(folder).with_problem(in_full(&error))]);
        }
        Err(error) => return Err(error),
    };
    let named = folder == search.root;
    let song = of_assignment(folder, assignment, named);
    let there = song.as_ref().is_some_and(|song| !song.is_empty() || song.problem.is_some());
    Ok(song.filter(|_| there).into_iter().collect())
}

/// Whether files of a folder have the very names of stems.
pub fn has_stems(folder: &Path) -> Result<bool> {
    Ok(!exact_song(folder)?.is_empty())
}

/// Reads a folder by these rules and its names; it has no stems when it is no song.
pub fn song(folder: &Path, rules: &[Rule]) -> Result<SongFiles> {
    Ok(of_assignment(folder, assign(folder, rules)?, true).unwrap_or_else(|| SongFiles::of_folder(folder)))
}

/// The song that an assignment makes of a folder; none when it does not look like one, unless it was `named` as one.
fn of_assignment(folder: &Path, assignment: Assignment, named: bool) -> Option<SongFiles> {
    if !named && !assignment.is_song() {
        return None;
    }
    let mut song = SongFiles::of_folder(folder);
    song.stems = Stem::ALL.map(|stem| assignment.sources(stem));
    if assignment.from_file {
        song.documents.push(folder.join(STEMS_FILE));
    }
    song.problem = assignment.problem;
    song.remarks.extend(beside(folder));
    for file in assignment.files {
        match (file.goes, file.why) {
            (Use::Mixture, _) => song.mixture = Some(Source::File(file.path)),
            (Use::Unused, Some(why)) => song.unused.push(Unused { path: file.path, why }),
            (Use::Stem(_), Some(why)) => song.remarks.push(format!("{} {why}", file_name(&file.path))),
            // Said by the user, or plain.
            (Use::Unused | Use::Stem(_), None) => {}
        }
    }
    Some(song)
}

/// What lies beside the audio files of a song's folder and holds audio as well, in sentences.
fn beside(folder: &Path) -> Vec<String> {
    let entries = sorted_entries(folder).unwrap_or_default();
    let holds_audio = |path: &PathBuf| {
        path.is_dir()
            && sorted_entries(path)
                .is_ok_and(|inner| inner.iter().any(|path| is_audio(path) && path.is_file()))
    };
    let sentence = |path: &PathBuf| {
        let name = file_name(path);
        if is_stem_file(path) {
            Some(format!("{name} is a song of its own and is not read; name it to use it"))
        } else {
            holds_audio(path)
                .then(|| format!("the folder {name} holds audio that is not read; name it to use it"))
        }
    };
    entries.iter().filter_map(sentence).collect()
}

/// The stems of a folder in which all other files are something else: only the very names of the stems count.
pub fn exact_song(folder: &Path) -> Result<SongFiles> {
    let mut song = SongFiles::of_folder(folder);
    for path in sorted_entries(folder)?.into_iter().filter(|path| is_audio(path) && path.is_file()) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some(stem) = Stem::from_name(&name) else { continue };
        let sources = &mut song.stems[stem.index()];
        if let Some(other) = sources.first() {
            let (one, two) = (file_name(other.path()), file_name(&path));
            return Ok(song.with_problem(format!("{one} and {two} are both the {stem} stem; keep one")));
        }
        sources.push(Source::File(path));
    }
    Ok(song)
}
