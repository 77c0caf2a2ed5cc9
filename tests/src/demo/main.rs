//! `demo-host`: hear the built plug-in without a workstation.
//!
//! Loads a `.clap`, plays a song's stems into its four sidechains and their plain sum into the main input, writes what
//! comes out – aligned with the input, latency trimmed – and prints what was measured, so that one sees that every
//! audible stem is in the mix.

mod measurements;
mod run;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tributary_audio_io::dataset::song_in;
use tributary_audio_io::outputs::Outputs;
use tributary_audio_io::song::{Rate, Song};
use tributary_audio_io::{error, file_output};

use crate::measurements::Measurements;
use crate::run::{Pace, mix_song};

/// Mixes a folder of stems with a CLAP plug-in.
#[derive(Parser)]
#[command(name = "demo-host", version)]
struct Arguments {
    /// The built plug-in
    #[arg(long, value_name = "PATH")]
    clap: PathBuf,
    /// A folder with vocals, bass, drums and other as WAV or FLAC; any rate, mono or stereo, any lengths
    #[arg(long, value_name = "DIR")]
    stems: PathBuf,
    /// Where the mix goes, as 32-bit float WAV
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Play at the speed of the audio, as a workstation does when it plays, instead of bouncing
    #[arg(long)]
    realtime: bool,
    /// Write the measurements as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Block length, in frames
    #[arg(long, value_name = "N", default_value_t = 512)]
    block: usize,
    /// Host rate, in Hz [default: the highest among the stems]
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,
}

/// The longest block a host may ask for, in frames.
const MAX_BLOCK_FRAMES: usize = 65_536;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        (1..=MAX_BLOCK_FRAMES).contains(&arguments.block),
        "a block of {} frames is out of range; 1 to {MAX_BLOCK_FRAMES} are possible",
        arguments.block
    );
    let song = read_song(arguments)?;
    let pace = if arguments.realtime { Pace::RealTime } else { Pace::Bounce };
    let mixed = mix_song(&arguments.clap, &song, arguments.block, pace)?;
    let measurements = Measurements::new(&song, &mixed)?;
    let mix = tributary_dsp::StereoBuffer { left: mixed.mix.left, right: mixed.mix.right };
    file_output::write_wav(&arguments.out, &mix, song.sample_rate_hz)
        .with_context(|| arguments.out.display().to_string())?;
    if let Some(path) = &arguments.json {
        let text = format!("{:#}\n", measurements.to_json());
        file_output::write_text(path, &text).with_context(|| path.display().to_string())?;
    }
    print!("{}", table::render(&measurements));
    Ok(())
}

fn read_song(arguments: &Arguments) -> Result<Song> {
    let rate = arguments.rate.map_or(Rate::HighestOfFiles, Rate::Hz);
    let supported = error::MIN_SAMPLE_RATE_HZ..=error::MAX_SAMPLE_RATE_HZ;
    if let Rate::Hz(rate_hz) = rate {
        ensure!(
            supported.contains(&rate_hz),
            "a host rate of {rate_hz} Hz is out of range ({supported:?} Hz)"
        );
    }
    let folder = &arguments.stems;
    ensure!(folder.is_dir(), "there is no folder of stems at {}", folder.display());
    let files = song_in(folder)?;
    ensure!(
        !files.is_empty(),
        "{} holds no stems; expected vocals, bass, drums, other as .wav or .flac",
        folder.display()
    );
    let outputs = Outputs::new().audio(&arguments.out).texts(&arguments.json);
    outputs.reads(files.paths()).reads([&arguments.clap]).check()?;
    let song = Song::read(&files, rate)?;
    for note in &song.notes {
        eprintln!("note: {note}");
    }
    Ok(song)
}
