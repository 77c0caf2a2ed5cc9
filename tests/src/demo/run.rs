//! One pass of a song through the plug-in: the host's part of the demo.
//!
//! Stands apart from the measuring: nothing here knows what the sound means.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap_host::bundled::CLAP_ID;
use clap_host::play::play_with;
use clap_host::state::RunReport;
use clap_host::{AudioSetup, Bus, BusAudio, Instance, Library, Partition, Stereo};
use indicatif::{ProgressBar, ProgressStyle};
use tributary_audio_io::song::Song;
use tributary_dsp::Stem;

/// How long the model may take to load.
const MODEL_LIMIT: Duration = Duration::from_secs(120);

/// How fast the host plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the plug-in can, and says so to the plug-in.
    Bounce,
    /// At the speed of the audio.
    RealTime,
}

/// What came out of a pass.
pub struct Mixed {
    /// What was played.
    pub audio: BusAudio,
    /// The plug-in's output, aligned with the input and as long.
    pub mix: Stereo,
    /// The latency the plug-in reported, in frames.
    pub latency_frames: usize,
    /// Wall-clock time of the pass.
    pub elapsed: Duration,
    /// Audio that was played, latency included, in seconds.
    pub played_s: f64,
    /// What the plug-in says of the pass.
    pub report: Option<RunReport>,
}

/// Plays `song` through the plug-in at `clap`.
///
/// # Errors
/// When the plug-in cannot be used, its model fails, or it stays silent.
pub fn mix_song(clap: &Path, song: &Song, block_frames: usize, pace: Pace) -> Result<Mixed> {
    let rate_hz = f64::from(song.sample_rate_hz);
    let mut instance = Library::load(clap)?.instantiate(CLAP_ID)?;
    let setup = AudioSetup { rate_hz, max_block_frames: block_frames, offline: pace == Pace::Bounce };
    let mut processor = instance.activate(setup)?;
    let latency_frames = instance.latency_frames();
    wait_for_model(&mut instance)?;

    let audio = buses(song);
    let mut padded = audio.clone();
    padded.resize(song.frames + latency_frames);
    let progress = progress_bar(padded.frames());
    let start = Instant::now();
    let played =
        play_with(&mut processor, &padded, &Partition::Fixed(block_frames), &[], &mut |done_frames| {
            progress.set_position(done_frames as u64);
            if pace == Pace::RealTime {
                let due = Duration::from_secs_f64(done_frames as f64 / rate_hz);
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
        })?;
    let elapsed = start.elapsed();
    progress.finish_and_clear();
    let report = instance.save_state()?.report();
    instance.deactivate(processor);

    let mix = played.cut(latency_frames..padded.frames());
    check_output(&audio, &mix)?;
    Ok(Mixed { audio, mix, latency_frames, elapsed, played_s: padded.frames() as f64 / rate_hz, report })
}

fn buses(song: &Song) -> BusAudio {
    Stem::ALL
        .iter()
        .zip(&song.stems)
        .filter_map(|(&stem, audio)| audio.as_ref().map(|audio| (stem, audio)))
        .fold(BusAudio::silence(song.frames), |buses, (stem, audio)| {
            buses.with(Bus::Stem(stem), Stereo { left: audio.left.clone(), right: audio.right.clone() })
        })
        .with_sum_on_main()
}

fn wait_for_model(instance: &mut Instance) -> Result<()> {
    let spinner = ProgressBar::new_spinner().with_message("loading the model");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let word = instance.wait_for_model(MODEL_LIMIT);
    spinner.finish_and_clear();
    match word.as_deref() {
        Some("ready") => Ok(()),
        Some(_) => {
            let reason = instance.save_state()?.report().map(|report| report.reason()).unwrap_or_default();
            bail!("the plug-in cannot mix and passes its main input on: {reason}")
        }
        None => bail!("the plug-in's model was not ready after {} s", MODEL_LIMIT.as_secs()),
    }
}

fn progress_bar(frames: usize) -> ProgressBar {
    let bar = ProgressBar::new(frames as u64);
    if let Ok(style) = ProgressStyle::with_template("mixing {wide_bar} {percent:>3} % · {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn check_output(audio: &BusAudio, mix: &Stereo) -> Result<()> {
    ensure!(mix.is_finite(), "the plug-in's output holds samples that are not numbers");
    let audible = Stem::ALL.iter().any(|&stem| audio.bus(Bus::Stem(stem)).peak() > 0.0);
    ensure!(!audible || mix.peak() > 0.0, "the plug-in's output is silent although the stems are not");
    Ok(())
}
