//! The options that say which songs to work on, shared by every command that works on a data set.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tributary_audio_io::dataset::{self, Found, Instruments, Layout, Rule, SongFiles};

/// A data set and how to read it.
#[derive(Debug, Clone, clap::Args)]
pub struct SelectionArgs {
    /// A data set (a folder of songs), or one song
    pub input: PathBuf,
    #[command(flatten)]
    pub set: SetArgs,
}

/// Which songs of a data set, and how it lays them out.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SetArgs {
    /// How the set lays out its songs
    #[arg(long, value_enum, default_value_t = Layout::Auto)]
    layout: Layout,
    /// Only the songs of this subset, such as train
    #[arg(long)]
    subset: Option<String>,
    /// JSON table from instruments to stems, instead of the built-in one
    #[arg(long, value_name = "FILE")]
    instruments: Option<PathBuf>,
}

/// How the files of one song's folder are read.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SongArgs {
    /// Which stem files of the folder belong to, before stems.toml and their names; may be given many times
    #[arg(long, value_name = "PATTERN=STEM")]
    pub assign: Vec<Rule>,
    /// Fail when audio of the folder is not used or cannot be read, instead of going on without it; songs of a set are then
    /// left out
    #[arg(long)]
    pub strict: bool,
    /// Bring all files of a stem to one loudness before they are summed, instead of summing them as they are
    #[arg(long)]
    pub balance: bool,
}

impl SelectionArgs {
    /// Finds the songs, sorted by name.
    ///
    /// # Errors
    /// As [`SetArgs::songs`].
    pub fn songs(&self) -> Result<Vec<SongFiles>> {
        self.set.songs(&self.input)
    }
}

impl SetArgs {
    /// The instrument table's file, if one was named.
    pub fn instruments(&self) -> Option<&Path> {
        self.instruments.as_deref()
    }

    /// Finds the songs of a set, sorted by name.
    ///
    /// # Errors
    /// No song is found, or the instrument table cannot be used.
    pub fn songs(&self, input: &Path) -> Result<Vec<SongFiles>> {
        let instruments = Instruments::read(self.instruments.as_deref())?;
        let mut songs = dataset::find_songs(input, self.layout, &instruments)?;
        if let Some(wanted) = &self.subset {
            songs.retain(|song| {
                song.subset.as_deref().is_some_and(|subset| subset.eq_ignore_ascii_case(wanted))
            });
            anyhow::ensure!(!songs.is_empty(), "{} has no subset \"{wanted}\"", input.display());
        }
        Ok(songs)
    }

    /// Finds the song that a path is, or the songs that it holds, to be read in this way.
    ///
    /// # Errors
    /// There is neither, or the files of a song contradict each other.
    pub fn find(&self, input: &Path, reading: &SongArgs) -> Result<Found> {
        let mut found = if self.layout != Layout::Auto || self.subset.is_some() {
            dataset::one_or_many(input, self.songs(input)?)
        } else {
            let instruments = Instruments::read(self.instruments.as_deref())?;
            dataset::find(input, &reading.assign, &instruments)?
        };
        match &mut found {
            Found::Song(song) => song.balance = reading.balance,
            Found::Set(songs) => songs.iter_mut().for_each(|song| song.balance = reading.balance),
        }
        Ok(found)
    }
}
