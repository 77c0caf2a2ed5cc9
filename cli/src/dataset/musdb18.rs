//! MUSDB18: one `.stem.mp4` per song with five stereo AAC streams in a fixed order (Native Instruments' stem format):
//! mixture, drums, bass, other, vocals. Reading them takes an installed ffmpeg.

use std::path::Path;

use anyhow::{Result, bail};
use tributary_dsp::Stem;

use super::{Search, SongFiles, Source, file_name, sorted_entries};
use crate::ffmpeg;

const ENDING: &str = ".stem.mp4";

/// All stem files of a folder.
pub fn songs(_: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let songs: Vec<SongFiles> = sorted_entries(folder)?.iter().filter_map(|path| song(path)).collect();
    if !songs.is_empty() && !ffmpeg::is_installed() {
        bail!(
            "{} holds .stem.mp4 files; reading them needs ffmpeg, which is not installed",
            folder.display()
        );
    }
    Ok(songs)
}

fn song(path: &Path) -> Option<SongFiles> {
    let name = file_name(path);
    let mut song = SongFiles::new(name.strip_suffix(ENDING)?);
    let stream = |index| Source::Stream { path: path.to_owned(), index };
    song.mixture = Some(stream(0));
    for (stem, index) in [(Stem::Drums, 1), (Stem::Bass, 2), (Stem::Other, 3), (Stem::Vocals, 4)] {
        song.stems[stem.index()].push(stream(index));
    }
    Some(song)
}
