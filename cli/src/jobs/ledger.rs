//! The output folder of a long job over many songs: what is finished, what was skipped and why, what is half-written.
//!
//! ```text
//! OUT/<song>/<stem>.wav            finished songs, nothing else
//! OUT/report.json                  all records in one file, rebuilt at the end of every run
//! OUT/.tributary/songs/<song>.json one record per song, written after its folder has its final name
//! OUT/.tributary/partial/<song>/   a song in the making
//! ```
//!
//! A song is finished when its record says so, was made with the same settings from the same files, and its folder is
//! there. Killed at any moment, a job therefore goes on where it was, and any number of shards can share one folder.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tributary_audio_io::dataset::{SongFiles, file_name};
use tributary_audio_io::file_output;

/// Version of the record files.
const FORMAT: u32 = 1;

/// What tells one version of a source file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Size in bytes.
    bytes: u64,
    /// Time of the last change in milliseconds since 1970; a stem rendered again keeps its size.
    modified_ms: u64,
}

impl Source {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let since_epoch = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self { bytes: metadata.len(), modified_ms: since_epoch.as_millis() as u64 })
    }
}

/// What became of one song.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// The song's name, also that of its output folder.
    pub song: String,
    /// The subset it belongs to, where the set has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// The licence as the song or its set states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Hash of everything that decides the result apart from the audio.
    pub settings: String,
    /// The source files, so that a changed one is noticed.
    pub sources: BTreeMap<String, Source>,
    /// Why the whole song was left out; none when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Sample rate of the written files, in Hz.
    pub sample_rate_hz: u32,
    /// Length of the written files.
    pub frames: usize,
    /// The reverb drawn for the song; none where nothing is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverb: Option<serde_json::Value>,
    /// Per written or skipped stem, what happened to it.
    #[serde(default)]
    pub stems: BTreeMap<String, serde_json::Value>,
    /// What was measured of the mix, where one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<serde_json::Value>,
    /// Plain sentences on what is missing or was mended.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Record {
    /// An empty record of a song about to be worked on.
    ///
    /// # Errors
    /// A source file cannot be looked at.
    pub fn of(files: &SongFiles, settings: &str) -> Result<Self> {
        let mut sources = BTreeMap::new();
        for path in files.sources().flat_map(|source| source.paths()) {
            // A file that is gone is no source; reading the song says so.
            if !path.exists() {
                continue;
            }
            let source = Source::of(path).with_context(|| format!("cannot read {}", path.display()))?;
            let parent = path.parent().map(file_name).unwrap_or_default();
            sources.insert(format!("{parent}/{}", file_name(path)), source);
        }
        Ok(Self {
            format: FORMAT,
            song: files.name.clone(),
            subset: files.subset.clone(),
            licence: files.licence.clone(),
            settings: settings.into(),
            sources,
            skipped: None,
            sample_rate_hz: 0,
            frames: 0,
            reverb: None,
            stems: BTreeMap::new(),
            mix: None,
            notes: Vec::new(),
        })
    }

    /// Whether `self`, found on disk, makes the work that starts as `planned` unnecessary.
    fn covers(&self, planned: &Self) -> bool {
        self.format == planned.format && self.settings == planned.settings && self.sources == planned.sources
    }
}

/// An output folder.
#[derive(Debug, Clone)]
pub struct Ledger {
    root: PathBuf,
    /// Whether a finished song has a folder of files beside its record.
    has_files: bool,
}

impl Ledger {
    /// Where the ledger's own files lie, in the output folder.
    pub const FOLDER: &str = ".tributary";
    /// The report over all songs, in the output folder.
    pub const REPORT: &str = "report.json";

    /// Opens or creates an output folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(root: &Path) -> Result<Self> {
        Self::open_with(root, true)
    }

    /// The same for a job whose only results are the records.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn of_records(root: &Path) -> Result<Self> {
        Self::open_with(root, false)
    }

    fn open_with(root: &Path, has_files: bool) -> Result<Self> {
        let ledger = Self { root: root.to_owned(), has_files };
        for folder in [ledger.records(), ledger.partials()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        }
        Ok(ledger)
    }

    fn records(&self) -> PathBuf {
        self.root.join(Self::FOLDER).join("songs")
    }

    fn partials(&self) -> PathBuf {
        self.root.join(Self::FOLDER).join("partial")
    }

    fn record_path(&self, song: &str) -> PathBuf {
        self.records().join(format!("{song}.json"))
    }

    /// The final folder of a song.
    pub fn song_folder(&self, song: &str) -> PathBuf {
        self.root.join(song)
    }

    /// The record of a song that need not be done again; none when it has to be (re)done.
    pub fn finished(&self, planned: &Record) -> Option<Record> {
        let record = self.read(&planned.song)?;
        let there = !self.has_files || record.skipped.is_some() || self.song_folder(&record.song).is_dir();
        (record.covers(planned) && there).then_some(record)
    }

    /// The record on disk, whatever settings made it. A damaged one counts as absent.
    fn read(&self, song: &str) -> Option<Record> {
        serde_json::from_str(&fs::read_to_string(self.record_path(song)).ok()?).ok()
    }

    /// Starts a song: an empty folder for its files, locked against other runs.
    ///
    /// # Errors
    /// The folder cannot be made; `Ok(None)` when another run is working on this song right now.
    pub fn start(&self, song: &str) -> Result<Option<Partial>> {
        let folder = self.partials().join(song);
        let lock_path = self.partials().join(format!("{song}.lock"));
        let context = || format!("cannot write in {}", self.partials().display());
        let lock = File::create(&lock_path).with_context(context)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        remove_folder(&folder).with_context(context)?;
        self.remove_unfinished_records(song).with_context(context)?;
        fs::create_dir_all(&folder).with_context(context)?;
        Ok(Some(Partial { folder, _lock: lock }))
    }

    /// Removes what a run that was killed while it wrote this song's record left behind. The song's lock is held.
    fn remove_unfinished_records(&self, song: &str) -> std::io::Result<()> {
        let start = format!(".{song}.json.");
        for entry in fs::read_dir(self.records())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&start) && name.ends_with(".part") {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Gives a finished song its final name, then writes its record. A song skipped as a whole has a record only.
    ///
    /// # Errors
    /// The disk refuses; the song then counts as not done.
    pub fn finish(&self, partial: Partial, record: &Record) -> Result<()> {
        let folder = self.song_folder(&record.song);
        let context = || format!("cannot write {}", folder.display());
        if !self.has_files {
            return file_output::write_text(&self.record_path(&record.song), &to_json(record)?)
                .with_context(context);
        }
        if folder.exists() && self.read(&record.song).is_none() {
            bail!("{} exists and was not made by this command; move it away", folder.display());
        }
        // A record without settings claims the folder as ours and covers nothing: killed between here and the last
        // line, the song is redone.
        let claim = Record { settings: String::new(), ..record.clone() };
        file_output::write_text(&self.record_path(&record.song), &to_json(&claim)?).with_context(context)?;
        remove_folder(&folder).with_context(context)?;
        if record.skipped.is_none() {
            fs::rename(&partial.folder, &folder).with_context(context)?;
        }
        file_output::write_text(&self.record_path(&record.song), &to_json(record)?).with_context(context)
    }

    /// Writes `report.json` over all given songs, finished by whichever run.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_report(&self, summary: serde_json::Value, songs: &[String]) -> Result<()> {
        let done = |song: &String| self.read(song).filter(|record| !record.settings.is_empty());
        let records: Vec<Option<Record>> = songs.iter().map(done).collect();
        let pending: Vec<&String> =
            songs.iter().zip(&records).filter(|(_, record)| record.is_none()).map(|(song, _)| song).collect();
        let report = serde_json::json!({
            "format": FORMAT,
            "job": summary,
            "pending": pending,
            "songs": records.iter().flatten().collect::<Vec<_>>(),
        });
        let path = self.root.join(Self::REPORT);
        file_output::write_text(&path, &to_json(&report)?).with_context(|| path.display().to_string())
    }
}

/// A song in the making. Dropped without [`Ledger::finish`], its files go. The lock file stays: removing it would let two
/// later runs hold locks on two different files of that name.
#[derive(Debug)]
pub struct Partial {
    /// Where the files are written.
    pub folder: PathBuf,
    _lock: File,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the song is started again.
        let _ = remove_folder(&self.folder);
    }
}

/// Removes a folder with its files; an absent one is fine.
fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn to_json(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).context("cannot write JSON")? + "\n")
}
