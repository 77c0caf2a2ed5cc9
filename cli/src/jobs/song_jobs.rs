//! A job over the songs of a set, whatever is made of each: shared out, resumed, and counted at the end. See
//! [`crate::jobs::ledger`] for what makes it resumable.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;
use tributary_audio_io::dataset::SongFiles;
use tributary_audio_io::error::in_full;
use tributary_audio_io::song::{Rate, Song, lacks_space};
use tributary_audio_io::stem_space::spaces_in;
use tributary_engine::StemFile;

use crate::jobs::batch::{self, Shard};
use crate::jobs::ledger::{Ledger, Partial, Record};
use crate::progress::{self, Step};
use crate::report::{self, Incomplete};

/// How the songs of a set are shared out.
#[derive(Debug, Clone, clap::Args)]
pub struct JobArgs {
    /// Songs of a set worked on at the same time [default: one per processor; mix: one]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Only the i-th of n equal parts of the songs of a set, for job arrays
    #[arg(long, value_name = "i/n", default_value = "1/1")]
    pub shard: Shard,
}

impl JobArgs {
    /// Whether nothing was asked for.
    pub fn is_default(&self) -> bool {
        self.jobs.is_none() && self.shard.count == 1
    }

    /// The songs of this part.
    pub fn share<'a>(&self, songs: &'a [SongFiles]) -> Vec<&'a SongFiles> {
        let here = songs.iter().enumerate().filter(|(position, _)| self.shard.contains(*position));
        here.map(|(_, song)| song).collect()
    }
}

/// What happened to one song in this run.
#[derive(Debug)]
pub enum Outcome {
    /// Its results are written.
    Written(Box<Record>),
    /// An earlier run has made them.
    AlreadyThere,
    /// It cannot be used, for this reason.
    Skipped(String),
    /// Another run is working on it.
    Busy,
    /// The work failed for a reason that says nothing about the song.
    Failed(anyhow::Error),
}

/// Makes a song's results in its unfinished folder, and fills its record.
pub type Work<'a> = dyn Fn(&SongFiles, Song<StemFile>, &Partial, &mut Record) -> Result<()> + Sync + 'a;

/// What all songs of a job share.
pub struct SongJobs<'a> {
    /// Where results and records go.
    pub ledger: Ledger,
    /// Hash of everything that decides a result apart from the audio.
    pub settings: String,
    /// Whether songs of which audio is not used are skipped.
    pub strict: bool,
    /// The rate songs are read at.
    pub rate: Rate,
    /// What is done with each.
    pub work: &'a Work<'a>,
}

impl SongJobs<'_> {
    /// Works through songs, so many at a time; `what` names the work.
    pub fn run(&self, songs: &[&SongFiles], jobs: usize, what: &str) -> Vec<Outcome> {
        let step = progress::songs(songs.len(), what);
        let outcomes = batch::run(songs, jobs, |files| {
            let outcome = self.song(files).unwrap_or_else(Outcome::Failed);
            step.advance();
            tell(&step, files, &outcome);
            outcome
        });
        step.finish();
        outcomes
    }

    fn song(&self, files: &SongFiles) -> Result<Outcome> {
        let mut record = Record::of(files, &self.settings)?;
        let Some(partial) = self.ledger.start(&files.name)? else { return Ok(Outcome::Busy) };
        // Asked only under the lock: another run may just have finished it.
        if let Some(done) = self.ledger.finished(&record) {
            return Ok(done.skipped.map_or(Outcome::AlreadyThere, Outcome::Skipped));
        }
        let spaces = spaces_in(&partial.folder);
        let song = Song::read_into(files, self.rate, &spaces);
        let whole =
            |song: Song<StemFile>| if self.strict { song.check_complete().map(|()| song) } else { Ok(song) };
        match song.and_then(whole) {
            Ok(song) => {
                record.notes.clone_from(&song.notes);
                record.sample_rate_hz = song.sample_rate_hz;
                record.frames = song.frames;
                (self.work)(files, song, &partial, &mut record)?;
                self.ledger.finish(partial, &record)?;
                Ok(Outcome::Written(Box::new(record)))
            }
            Err(error) if lacks_space(&error) => Err(error),
            Err(error) => {
                let reason = in_full(&error);
                record.skipped = Some(reason.clone());
                self.ledger.finish(partial, &record)?;
                Ok(Outcome::Skipped(reason))
            }
        }
    }

    /// Writes the report over all songs of the set, whichever run finished them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn report(&self, summary: Value, songs: &[SongFiles]) -> Result<()> {
        let names: Vec<String> = songs.iter().map(|song| song.name.clone()).collect();
        self.ledger.write_report(summary, &names)
    }
}

/// Says what happened to a song, above the progress bar.
fn tell(step: &Step, files: &SongFiles, outcome: &Outcome) {
    let say = |text: &str| step.suspend(|| report::note(&format!("{}: {text}", files.name)));
    match outcome {
        Outcome::Written(record) => record.notes.iter().for_each(|note| say(note)),
        Outcome::AlreadyThere => {}
        Outcome::Skipped(reason) => say(&format!("skipped: {reason}")),
        Outcome::Busy => say("another run is working on it"),
        Outcome::Failed(error) => say(&format!("failed: {}", in_full(error))),
    }
}

/// Prints the counts; an error when a song failed, was skipped, or there is not one result. `done` says what was to be done.
///
/// # Errors
/// Songs failed, all were skipped, or some were ([`Incomplete`]).
pub fn conclude(output: &Path, outcomes: &[Outcome], done: &str) -> Result<()> {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let written = count(|o| matches!(o, Outcome::Written(_)));
    let there = count(|o| matches!(o, Outcome::AlreadyThere));
    let skipped = count(|o| matches!(o, Outcome::Skipped(_)));
    let busy = count(|o| matches!(o, Outcome::Busy));
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    let report = output.join(Ledger::REPORT);
    report::say(format!(
        "{written} songs written, {there} already there, {skipped} skipped, {busy} busy elsewhere, {failed} failed; see {}",
        report.display()
    ));
    if failed > 0 {
        bail!("{failed} of {} songs failed", outcomes.len());
    }
    if !outcomes.is_empty() && skipped == outcomes.len() {
        bail!("no song could be {done}");
    }
    if skipped > 0 {
        let skipped =
            format!("{skipped} of {} songs were skipped; {} says why", outcomes.len(), report.display());
        return Err(Incomplete(skipped).into());
    }
    Ok(())
}
