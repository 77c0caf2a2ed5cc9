//! Plain folders: the file names say which stem a file is. MUSDB18-HQ is laid out like this, below `train` and `test`.

use std::path::Path;

use anyhow::Result;
use tributary_dsp::Stem;

use super::{Search, SongFiles, Source, audio_name, file_name, sorted_entries};

/// File names that hold the human-made mix, in lower case and without ending.
const MIXTURE_NAMES: [&str; 2] = ["mixture", "mix"];

/// What a file is to its song.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of the stems.
    Stem(Stem),
    /// The human-made mix.
    Mixture,
}

impl Role {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Role::Stem(Stem::Vocals) => "the vocals stem",
            Role::Stem(Stem::Bass) => "the bass stem",
            Role::Stem(Stem::Drums) => "the drums stem",
            Role::Stem(Stem::Other) => "the other stem",
            Role::Mixture => "the human mix",
        }
    }
}

/// What a file of this name is, in lower case and without ending; none for all others.
pub fn role(name: &str) -> Option<Role> {
    let mixture = MIXTURE_NAMES.contains(&name).then_some(Role::Mixture);
    Stem::from_name(name).map(Role::Stem).or(mixture)
}

/// The folder itself, when it has a file named like a stem.
pub fn songs(_: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let song = song(folder)?;
    Ok(if song.is_empty() && song.problem.is_none() { Vec::new() } else { vec![song] })
}

/// Reads a folder; it has no stems when it is no song.
pub fn song(folder: &Path) -> Result<SongFiles> {
    let mut song = SongFiles::of_folder(folder);
    for path in sorted_entries(folder)? {
        match audio_name(&path).as_deref().and_then(role) {
            Some(Role::Stem(stem)) => {
                let sources = &mut song.stems[stem.index()];
                if let Some(other) = sources.first() {
                    let (one, two) = (file_name(other.path()), file_name(&path));
                    let problem = format!("{one} and {two} are both the {stem} stem; keep one");
                    return Ok(song.with_problem(problem));
                }
                sources.push(Source::File(path));
            }
            Some(Role::Mixture) if song.mixture.is_none() => song.mixture = Some(Source::File(path)),
            Some(Role::Mixture) | None => {}
        }
    }
    Ok(song)
}
