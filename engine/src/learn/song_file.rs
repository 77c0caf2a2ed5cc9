//! What was learned of a song, as a file of its own: it belongs to the song and to the model, and to no project. The plug-in
//! and the command line write the same document that a project keeps, and read it from each other. Such a file comes from
//! anywhere, so it is refused in a sentence before it can do harm: by its size, its form, its version and its numbers.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use tributary_dsp::Cause;

use crate::learn::learned::LearnedSong;
use crate::regular_file;

/// Version of the document.
const FORMAT: u64 = 1;
/// Larger files are none: the largest profile takes 120 KB.
const BYTES_MAX: u64 = 1 << 20;

/// Why a file of a learned song cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SongFileError {
    /// The system says so.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: std::io::Error,
    },
    /// It is larger than any profile.
    #[error("{} is no learned profile: it is larger than {BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is something else, or damaged.
    #[error("{} is no learned profile: {reason}", path.display())]
    NotOne {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: Cause,
    },
    /// A later version wrote it.
    #[error("{} was written by a newer version of Tributary (format {format})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: std::io::Error,
    },
}

impl LearnedSong {
    /// Reads a file that [`Self::write_file`] wrote. Whether it belongs to the model that plays is for
    /// [`Learning::restore`](crate::Learning::restore) to say.
    ///
    /// # Errors
    /// [`SongFileError`]; never waits for another program, and never takes more than a megabyte.
    pub fn read_file(path: impl AsRef<Path>) -> Result<Self, SongFileError> {
        let path = path.as_ref();
        let unreadable = |reason| SongFileError::Unreadable { path: path.into(), reason };
        let mut text = Vec::new();
        let file = regular_file::open(path).map_err(unreadable)?;
        file.take(BYTES_MAX + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(SongFileError::TooLarge { path: path.into() });
        }
        let not_one = |reason: Cause| SongFileError::NotOne { path: path.into(), reason };
        let document: Value = serde_json::from_slice(&text).map_err(|error| not_one(Cause::new(error)))?;
        match document.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(format) if format > FORMAT => {
                return Err(SongFileError::Newer { path: path.into(), format });
            }
            _ => return Err(not_one("it does not say its format".into())),
        }
        let Some(learned) = document.get("learned") else {
            return Err(not_one("nothing in it was learned".into()));
        };
        let song = Self::deserialize(learned).map_err(|error| not_one(Cause::new(error)))?;
        song.profile.validate().map_err(|error| not_one(Cause::new(error)))?;
        if song.statistics.as_ref().is_some_and(|learned| !learned.statistics.is_possible()) {
            return Err(not_one("no network has such averages".into()));
        }
        Ok(song)
    }

    /// Writes the file, or leaves what was there.
    ///
    /// # Errors
    /// [`SongFileError::Unwritable`].
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<(), SongFileError> {
        let path = path.as_ref();
        let unwritable = |reason| SongFileError::Unwritable { path: path.into(), reason };
        let Some(name) = path.file_name() else {
            return Err(unwritable(std::io::Error::new(ErrorKind::InvalidInput, "it has no name")));
        };
        // Through a file beside it, so that a full disk or a crash never leaves half of one.
        let part = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let written = self.text().map_err(unwritable).and_then(|text| {
            let mut file = fs::File::create(&part).map_err(unwritable)?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable)?;
            fs::rename(&part, path).map_err(unwritable)
        });
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written
    }

    /// The document. Through text, because a 32-bit number then keeps its short form.
    fn text(&self) -> std::io::Result<String> {
        let learned = serde_json::to_string(self)?;
        let document = json!({ "format": FORMAT, "learned": serde_json::from_str::<Value>(&learned)? });
        Ok(document.to_string() + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tributary_dsp::profile::{LoudnessCorrection, PanningCorrection};
    use tributary_dsp::{SongProfile, StemProfile};

    fn song() -> LearnedSong {
        let stem = StemProfile {
            panning: Some(PanningCorrection { side: -1.0 / 3.0, balance_db: 0.1 }),
            loudness: Some(LoudnessCorrection { gain_db: -7.123_456_789, limit: None }),
            ..StemProfile::default()
        };
        LearnedSong {
            normalization_sha256: "ab".repeat(32),
            learned_unix_s: 1_780_000_000,
            length_s: 61.5,
            profile: SongProfile([Some(stem), None, None, None]),
            statistics: None,
        }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tributary-song-file-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("made");
        folder
    }

    #[test]
    fn a_song_comes_back_and_nothing_is_left_beside_it() {
        let folder = folder("round");
        let path = folder.join("song.profile.json");
        song().write_file(&path).expect("written");
        song().write_file(&path).expect("written over");
        assert_eq!(LearnedSong::read_file(&path).expect("read"), song());
        assert_eq!(fs::read_dir(&folder).expect("listed").count(), 1);
        let nowhere = folder.join("none/song.profile.json");
        let error = song().write_file(nowhere).expect_err("there is no folder");
        assert!(matches!(error, SongFileError::Unwritable { .. }), "{error}");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn hostile_files_are_refused_in_a_sentence() {
        let folder = folder("hostile");
        let path = folder.join("x.json");
        let refused = |text: &[u8]| {
            fs::write(&path, text).expect("written");
            LearnedSong::read_file(&path).expect_err("it is none").to_string()
        };
        let mut damaged: Value = serde_json::from_str(&song().text().expect("text")).expect("JSON");
        damaged["learned"]["profile"][0]["loudness"]["gain_db"] = json!(1e9);
        let deep = [b'['; 200_000];
        let long = vec![b' '; (1 << 20) + 1];
        for (text, said) in [
            (&b""[..], "is no learned profile"),
            (&b"[1, 2"[..], "is no learned profile"),
            (&b"{\"format\": 1}"[..], "nothing in it was learned"),
            (&b"{\"stems\": {}}"[..], "does not say its format"),
            (&b"{\"format\": 7, \"learned\": 3}"[..], "newer version of Tributary (format 7)"),
            (&b"{\"format\": 1, \"learned\": {\"profile\": \"none\"}}"[..], "is no learned profile"),
            (damaged.to_string().as_bytes(), "unusable value for loudness gain_db"),
            (&deep[..], "is no learned profile"),
            (&long[..], "larger than 1048576 bytes"),
        ] {
            let sentence = refused(text);
            assert!(sentence.contains(said), "{sentence}");
        }
        assert!(matches!(LearnedSong::read_file(&folder), Err(SongFileError::Unreadable { .. })));
        assert!(matches!(LearnedSong::read_file(folder.join("none")), Err(SongFileError::Unreadable { .. })));
        fs::remove_dir_all(folder).expect("removed");
    }
}
