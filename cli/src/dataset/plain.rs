//! Plain folders: the file names say which stem a file is. MUSDB18-HQ is laid out like this, below `train` and `test`.

use std::path::Path;

use anyhow::Result;
use tributary_dsp::Stem;

use super::{Search, SongFiles, Source, audio_name, file_name, sorted_entries};

/// File names that hold the human-made mix, in lower case and without ending.
const MIXTURE_NAMES: [&str; 2] = ["mixture", "mix"];

/// The folder itself, when it has a file named like a stem.
pub fn songs(_: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let song = song(folder)?;
    Ok(if song.is_empty() && song.problem.is_none() { Vec::new() } else { vec![song] })
}

/// Reads a folder; it has no stems when it is no song.
pub fn song(folder: &Path) -> Result<SongFiles> {
    let mut song = SongFiles::of_folder(folder);
    for path in sorted_entries(folder)? {
        let Some(role) = audio_name(&path) else { continue };
        if let Some(stem) = Stem::from_name(&role) {
            let sources = &mut song.stems[stem.index()];
            if let Some(other) = sources.first() {
                let (one, two) = (file_name(other.path()), file_name(&path));
                return Ok(song.with_problem(format!("{one} and {two} are both the {role} stem; keep one")));
            }
            sources.push(Source::File(path));
        } else if MIXTURE_NAMES.contains(&role.as_str()) && song.mixture.is_none() {
            song.mixture = Some(Source::File(path));
        }
    }
    Ok(song)
}
