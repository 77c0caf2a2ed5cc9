//! `tributary mix` of a set: a mix per song, `<song>/mix.wav` in the output folder, shared out and resumed as `normalize` does
//! it.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tributary_audio_io::dataset::SongFiles;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::place::is_standard_output;
use tributary_audio_io::song::{Rate, Song};
use tributary_audio_io::stem_space::spaces_in;
use tributary_audio_io::writer::Container;
use tributary_dsp::Stem;
use tributary_engine::sha256_hex;

use super::args::{Args, packed};
use super::mixing::Mixing;
use crate::jobs::ledger::{Ledger, Partial, Record};
use crate::jobs::song_jobs::{Outcome, SongJobs, conclude};
use crate::report::{self, Table};
use tributary_engine::StemFile;

/// Every mix has this name, in a folder of its song's name.
const MIX: &str = "mix.wav";

/// Mixes every song of this share of a set.
///
/// # Errors
/// Wrong arguments, an output folder that cannot be written, songs that failed, or that were all left out.
pub fn run(args: &Args, songs: &[SongFiles]) -> Result<()> {
    check_arguments(args, songs)?;
    let (mixing, settings_files) = Mixing::open(args, true)?;
    let outputs = Outputs::new().fills([&args.output]).reads(&args.song).reads(mixing.choice.folder());
    outputs.reads(settings_files).reads(args.set.instruments()).check()?;
    fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot create the folder {}", args.output.display()))?;
    let work = |files: &SongFiles, song: Song<StemFile>, partial: &Partial, record: &mut Record| {
        mix_song(&mixing, files, song, partial, record)
    };
    let jobs = SongJobs {
        ledger: Ledger::open(&args.output)?,
        settings: settings_hash(&mixing)?,
        strict: args.reading.strict,
        rate: Rate::HighestOfFiles,
        work: &work,
    };
    let mine = args.job.share(songs);
    // One song takes both of the processors that most machines can give it.
    let outcomes = jobs.run(&mine, args.job.jobs.unwrap_or(1), "mixing");
    jobs.report(
        json!({ "command": "mix", "settings": jobs.settings, "model": mixing.choice.name() }),
        songs,
    )?;
    report::say(table(&mine, &outcomes).to_string().trim_end());
    conclude(&args.output, &outcomes, "mixed")
}

/// Refuses what makes sense for one song only.
fn check_arguments(args: &Args, songs: &[SongFiles]) -> Result<()> {
    let is_file = Container::of(&args.output).is_some() || is_standard_output(&args.output);
    let name = args.song.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    if is_file || args.output.is_file() {
        const SHOWN: usize = 5;
        let names: Vec<&str> = songs.iter().take(SHOWN).map(|song| song.name.as_str()).collect();
        let more = if songs.len() > SHOWN { ", …" } else { "" };
        bail!(
            "{name} is no song but holds {} ({}{more}): name one of them, or a folder for their mixes with -o",
            songs.len(),
            names.join(", ")
        );
    }
    if args.json.is_some() {
        bail!("--json is for one song; of a set {} in the output folder tells everything", Ledger::REPORT);
    }
    Ok(())
}

/// Mixes one song into its unfinished folder.
fn mix_song(
    mixing: &Mixing<'_>,
    files: &SongFiles,
    mut song: Song<StemFile>,
    partial: &Partial,
    record: &mut Record,
) -> Result<()> {
    let packed = packed(MIX.as_ref(), mixing.args.bits)?;
    let spaces = spaces_in(&partial.folder);
    let outcome = mixing.mix(&mut song, &partial.folder.join(MIX), packed, &spaces)?;
    record.notes.clone_from(&song.notes);
    for stem in Stem::ALL.into_iter().filter(|stem| song.stems[stem.index()].is_some()) {
        let [before, after] = outcome.levels(&song, stem);
        record.stems.insert(stem.name().into(), json!({ "before_lufs": before, "after_lufs": after }));
    }
    record.mix = Some(outcome.to_json(&song, files, mixing));
    Ok(())
}

/// Hash of everything but the audio that decides a mix.
fn settings_hash(mixing: &Mixing<'_>) -> Result<String> {
    let args = mixing.args;
    let settings = json!({
        "model": mixing.choice.name(),
        "recipe": mixing.recipe,
        "targets": mixing.targets,
        "profile": args.profile,
        "running_statistics": args.running_statistics,
        "controls": mixing.controls,
        "latency_mode": args.latency_mode,
        "bits": args.bits.map(|bits| bits.name()),
        "strict": args.reading.strict,
        "balance": args.reading.balance,
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(sha256_hex(serde_json::to_string(&settings)?.as_bytes()))
}

/// Loudness and peak of every mix that was made in this run.
fn table(songs: &[&SongFiles], outcomes: &[Outcome]) -> Table {
    let mut table = Table::new(&["song", "LUFS", "dBTP", "real-time factor"]);
    for (files, outcome) in songs.iter().zip(outcomes) {
        let Outcome::Written(record) = outcome else { continue };
        let number = |key: &str| record.mix.as_ref().and_then(|mix| mix[key].as_f64());
        let factor = number("real_time_factor").map_or(String::new(), |factor| format!("{factor:.3}"));
        let [lufs, peak] = ["mix_lufs", "mix_true_peak_dbtp"].map(|key| report::level(number(key)));
        table.row(vec![files.name.clone(), lufs, peak, factor]);
    }
    table
}
