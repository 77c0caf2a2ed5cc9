//! `tributary mix`: the stems of a song in, the mix out, through the same pipeline the plug-in drives. Sets of songs are
//! worked through in `set.rs`; one song is mixed in
//! `mixing.rs`, and what is said of the mix is in `outcome.rs`.
//!
//! The pipeline runs at the stems' own rate, as in a host at that rate. With `--profile adaptive` the result is what the
//! plug-in makes live, bit for bit; with `--profile file`, the default, every stem is measured as a whole first and the
//! network is run once over the song for its averages: what the plug-in plays once it has learned the song.

mod args;
mod mixing;
mod outcome;
mod set;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tributary_audio_io::dataset::{Found, SongFiles, Source};
use tributary_audio_io::file_output;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::place::Place;
use tributary_audio_io::song::{Rate, Song};
use tributary_audio_io::stem_space::spaces_in;
use tributary_dsp::Stem;

use crate::{progress, report};

pub use args::Args;
use args::packed;
use mixing::Mixing;

/// Mixes a song, or every song of a set.
///
/// # Errors
/// No usable stem, no model, or a result that cannot be written; nothing is left half-written. In a set a song that cannot be
/// mixed is left out.
pub fn run(args: &Args) -> Result<()> {
    match found(args)? {
        Found::Song(files) => run_song(args, &files),
        Found::Set(songs) => set::run(args, &songs),
    }
}

fn run_song(args: &Args, files: &SongFiles) -> Result<()> {
    ensure!(
        args.job.is_default(),
        "--jobs and --shard are for sets; {} is one song",
        args.song.as_deref().unwrap_or(Path::new("this")).display()
    );
    let (mixing, settings) = Mixing::open(args, false)?;
    let outputs = Outputs::new().audio(&args.output).texts(&args.json).reads(settings).reads(files.paths());
    outputs.reads(mixing.choice.folder()).check()?;
    let packed = packed(&args.output, args.bits)?;
    let place = Place::of(&args.output)?;
    let spaces = spaces_in(&place.scratch_folder());
    let step = progress::fraction("reading");
    let read = Song::read_reporting(files, Rate::HighestOfFiles, &spaces, &mut |share| {
        progress::set_fraction(&step, share);
    });
    step.finish();
    let mut song = read?;
    song.notes.iter().for_each(|note| report::note(note));
    if args.reading.strict {
        song.check_complete()?;
    }
    let noted = song.notes.len();
    let outcome = mixing.mix(&mut song, &args.output, packed, &spaces)?;
    song.notes.iter().skip(noted).for_each(|note| report::note(note));
    outcome.print(&song, files, &mixing);
    match &args.json {
        None => Ok(()),
        Some(path) => {
            let report = outcome.to_json(&song, files, &mixing);
            let text = serde_json::to_string_pretty(&report)? + "\n";
            file_output::write_text(path, &text).with_context(|| path.display().to_string())
        }
    }
}

/// The song or the set that is meant, with the files that were named one by one.
fn found(args: &Args) -> Result<Found> {
    let found = match &args.song {
        Some(folder) => args.set.find(folder, &args.reading)?,
        None => Found::Song(Box::new(SongFiles::new("song"))),
    };
    let named = [&args.vocals, &args.bass, &args.drums, &args.other];
    let mut files = match found {
        Found::Song(files) => files,
        Found::Set(_) if named.iter().any(|named| named.is_some()) => {
            bail!("--vocals, --bass, --drums and --other are for one song, not for a set")
        }
        set => return Ok(set),
    };
    for (stem, named) in Stem::ALL.into_iter().zip(named) {
        if let Some(path) = named {
            let there =
                std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
            ensure!(there.is_file(), "{} cannot be read: it is no file", path.display());
            files.stems[stem.index()] = vec![Source::File(path.clone())];
            files.named[stem.index()] = true;
        }
    }
    if let (true, Some(folder)) = (files.is_empty(), &args.song) {
        bail!("{} holds no stem: expected vocals, bass, drums or other as audio files", folder.display());
    }
    Ok(Found::Song(files))
}
