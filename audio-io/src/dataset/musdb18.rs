//! MUSDB18 and its kin: one `.stem.mp4` (or `.stem.m4a`) per song with an audio stream per stem (Native Instruments' stem
//! format). Streams that have titles are what their titles say. Without titles there is a fixed order of five: mixture,
//! drums, bass, other, vocals. Anything else is refused: stems in a wrong order would spoil a training set unheard.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tributary_dsp::Stem;

use super::folder::{file_name, is_stem_file, sorted_entries, stem_file_song};
use super::names::{Meaning, read_all};
use super::plain;
use super::search::Search;
use super::song_files::{SongFiles, Source};
use crate::error::in_full;
use crate::reader::mp4;

/// The order of streams without titles behind the mixture.
const ORDER: [Stem; Stem::COUNT] = [Stem::Drums, Stem::Bass, Stem::Other, Stem::Vocals];

/// All stem files of a folder, unless it is a song itself: then they are other forms of it.
pub fn songs(_: &Search<'_>, folder: &Path) -> Result<Vec<SongFiles>> {
    let paths = sorted_entries(folder)?;
    if !paths.iter().any(|path| is_stem_file(path)) || plain::has_stems(folder)? {
        return Ok(Vec::new());
    }
    Ok(paths.iter().filter_map(|path| song(path)).collect())
}

/// The song of one stem file; none for other files.
pub fn song(path: &Path) -> Option<SongFiles> {
    let song = SongFiles::new(&stem_file_song(path)?);
    let file = file_name(path);
    let found = titles(path).and_then(|titles| assigned(path, &titles, song.clone()));
    Some(match found.context(file) {
        Ok(song) => song,
        Err(error) => song.with_problem(in_full(&error)),
    })
}

/// What the audio streams of a file are called; none for a stream without a title.
fn titles(path: &Path) -> Result<Vec<Option<String>>> {
    let tracks = File::open(path).and_then(|file| mp4::audio_tracks(&file)).context("it cannot be read")?;
    let titles: Vec<Option<String>> =
        tracks.context("it is no MP4 file")?.into_iter().map(|track| track.title).collect();
    ensure!(!titles.is_empty(), "it has no audio stream");
    Ok(titles)
}

fn assigned(path: &Path, titles: &[Option<String>], mut song: SongFiles) -> Result<SongFiles> {
    let stream = |index: usize| Source::Stream { path: path.to_owned(), index };
    let texts: Vec<&str> = titles.iter().map(|title| title.as_deref().unwrap_or_default()).collect();
    let meanings: Vec<Meaning> = read_all(&texts).into_iter().map(|reading| reading.meaning).collect();
    if meanings.iter().all(|meaning| *meaning == Meaning::Unknown) {
        if titles.len() != Stem::COUNT + 1 {
            bail!("it has {} audio streams without titles; only five have a known order", titles.len());
        }
        song.mixture = Some(stream(0));
        for (index, stem) in ORDER.into_iter().enumerate() {
            song.stems[stem.index()].push(stream(index + 1));
        }
        return Ok(song);
    }
    for (index, meaning) in meanings.into_iter().enumerate() {
        match meaning {
            Meaning::Stem(stem) => song.stems[stem.index()].push(stream(index)),
            Meaning::Mixture if song.mixture.is_none() => song.mixture = Some(stream(index)),
            _ => bail!("its audio stream {} is titled \"{}\", which says no stem", index + 1, texts[index]),
        }
    }
    Ok(song)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(titles: &[&str]) -> Result<SongFiles> {
        let titles: Vec<Option<String>> =
            titles.iter().map(|title| (!title.is_empty()).then(|| (*title).to_owned())).collect();
        assigned(Path::new("x.stem.mp4"), &titles, SongFiles::new("x"))
    }

    /// The streams of vocals, bass, drums and other, then the mixture's.
    fn order(song: &SongFiles) -> Vec<Vec<usize>> {
        let index = |source: &Source| match source {
            Source::Stream { index, .. } => *index,
            other => panic!("{other:?}"),
        };
        let stems = song.stems.iter().map(|sources| sources.iter().map(index).collect());
        stems.chain([song.mixture.iter().map(index).collect()]).collect()
    }

    #[test]
    fn titles_come_before_the_order_and_nothing_is_guessed() {
        let plain = read(&[""; 5]).expect("the order of MUSDB18");
        assert_eq!(order(&plain), [vec![4], vec![2], vec![1], vec![3], vec![0]]);
        let titled = read(&["other", "drums", "vocals"]).expect("titled");
        assert_eq!(order(&titled), [vec![2], vec![], vec![1], vec![0], vec![]]);
        let native = read(&["Master", "Kick", "Hats", "Bass", "Vox"]).expect("titled");
        assert_eq!(order(&native), [vec![4], vec![3], vec![1, 2], vec![], vec![0]]);
        for titles in [
            &[""; 4][..],
            &[""; 6],
            &[],
            &["vocals", "", "drums"],
            &["vocals", "Lead"],
            &["Drum+Bass", "vocals"],
        ] {
            assert!(read(titles).is_err(), "{titles:?}");
        }
    }
}
