//! What was learned, to and from a file that belongs to no project. Apart from the rest of learning because files are read and
//! written here: for the GUI thread. A file that cannot be used leaves in force what is.

use super::Engines;
use super::steps::Step;
use crate::saved::Learner;
use std::fmt;
use std::path::Path;
use tributary_engine::{LearnedSong, SongFileError};

/// Why what was learned did not get to a file, or from one.
#[derive(Debug)]
pub enum LearnedFileError {
    /// Nothing has been learned.
    Nothing,
    /// The plug-in is not active, or has no model.
    NoModel,
    /// It was learned for another recipe or other targets.
    Foreign,
    /// The engine's reason.
    Refused(String),
    /// The file.
    File(SongFileError),
}

impl fmt::Display for LearnedFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing has been learned that could be saved."),
            Self::NoModel => f.write_str("Without a model nothing can be loaded."),
            Self::Foreign => f.write_str(
                "That profile was learned for a model that normalizes otherwise; what was in force stays in force.",
            ),
            Self::Refused(reason) => f.write_str(reason),
            Self::File(error) => write!(f, "{error}."),
        }
    }
}

impl std::error::Error for LearnedFileError {}

impl From<SongFileError> for LearnedFileError {
    fn from(error: SongFileError) -> Self {
        Self::File(error)
    }
}

/// What a profile of a song of that length is called.
fn name_of(length_s: f64) -> String {
    let seconds = length_s.clamp(0.0, 1e6) as u64;
    format!("Song of {} min {:02} s", seconds / 60, seconds % 60)
}

impl Engines {
    /// Writes what is in force to a file.
    ///
    /// # Errors
    /// Nothing was learned, or the file cannot be written.
    pub fn save_learned(&self, path: &Path) -> Result<(), LearnedFileError> {
        let learning = self.current_learning().ok_or(LearnedFileError::Nothing)?;
        let song = learning.status().song.ok_or(LearnedFileError::Nothing)?;
        Ok(song.write_file(path)?)
    }

    /// Keeps what is in force among the user's files, under a name of its own, and says so or why not.
    pub fn keep_learned(&self) {
        let length_s = self.song().map_or(0.0, |song| song.length_s);
        let kept = self.files.learned.free(&name_of(length_s)).and_then(|(name, path)| {
            self.save_learned(&path).map_err(|error| error.to_string())?;
            Ok(format!("What was learned is kept as “{name}”, in {}.", path.display()))
        });
        self.list_choices();
        self.lock().notice = Some(kept.unwrap_or_else(|reason| reason));
    }

    /// Whether the next song that is learned is also written as its normalized stems, into a folder of the user's.
    pub fn export_next(&self, wanted: bool) {
        let folder = self.files.exports.clone().filter(|_| wanted);
        if let Some(learning) = self.current_learning() {
            learning.export_to(folder);
        }
    }

    /// Puts in force what the user's file of that name holds, or says why not.
    pub fn fetch_learned(&self, name: &str) {
        let Some(path) = self.files.learned.path(name) else { return };
        let failed = self.load_learned(&path).err();
        self.lock().notice = failed.map(|error| error.to_string());
    }

    /// Puts in force what a file holds; that can be undone.
    ///
    /// # Errors
    /// It cannot be read, or does not belong to the model that plays.
    pub fn load_learned(&self, path: &Path) -> Result<(), LearnedFileError> {
        let song = LearnedSong::read_file(path)?;
        let learning = self.current_learning().ok_or(LearnedFileError::NoModel)?;
        let normalization = learning.normalization().ok_or(LearnedFileError::NoModel)?;
        if normalization.sha256() != song.normalization_sha256 {
            return Err(LearnedFileError::Foreign);
        }
        let before = self.learned.present();
        if let Some(reason) = self.restore(Some(song)) {
            return Err(LearnedFileError::Refused(reason));
        }
        self.did(Step::learned("Load profile", before, self.song()));
        Ok(())
    }
}
