//! What can be said to `tributary mix`, and how the mix that is meant is written.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tributary_audio_io::writer::{Container, Samples};
use tributary_engine::{LatencyMode, Provider};

use crate::jobs::song_jobs::JobArgs;
use crate::options::controls::ControlArgs;
use crate::options::normalization::NormalizationArgs;
use crate::options::selection::{SetArgs, SongArgs};

/// Arguments of `tributary mix`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The song: a folder of audio files named like stems or tracks, a song of a known data set, or a .stem.mp4 file; or a
    /// set of songs
    #[arg(required_unless_present_any = ["vocals", "bass", "drums", "other"])]
    pub song: Option<PathBuf>,
    /// The mix to write, at the stems' rate: .wav or .flac; "-" for WAV to standard output. For a set a folder, made if absent
    /// and resumed if not, of `<song>/mix.wav`
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: PathBuf,
    /// Bits of a sample of the mix: whole numbers with dither, or floating point [default: 32f for WAV, 24 for FLAC]
    #[arg(long, value_name = "16|24|32f", value_parser = named(Samples::ALL, Samples::name))]
    pub bits: Option<Samples>,
    /// Vocals file, instead of the one in the folder
    #[arg(long, value_name = "FILE")]
    pub vocals: Option<PathBuf>,
    /// Bass file
    #[arg(long, value_name = "FILE")]
    pub bass: Option<PathBuf>,
    /// Drums file
    #[arg(long, value_name = "FILE")]
    pub drums: Option<PathBuf>,
    /// File of everything else
    #[arg(long, value_name = "FILE")]
    pub other: Option<PathBuf>,
    #[command(flatten)]
    pub reading: SongArgs,
    #[command(flatten)]
    pub set: SetArgs,
    #[command(flatten)]
    pub job: JobArgs,
    /// Model bundle to mix with: a folder, the name of a model that ships, or "sum" for the plain sum of the stems [default:
    /// the bundled model]
    #[arg(long, value_name = "FOLDER|NAME|sum")]
    pub model: Option<String>,
    /// Measure every stem as a whole, or adapt while playing as the plug-in does
    #[arg(long, value_enum, default_value_t = Profile::File)]
    pub profile: Profile,
    /// Window of the network, as in the plug-in: how much of the future it sees, how much it makes at a time; "monitor" is
    /// the sum of the normalized stems
    #[arg(long, default_value = LatencyMode::default().name(), value_parser = named(LatencyMode::ALL, LatencyMode::name))]
    pub latency_mode: LatencyMode,
    /// What the network runs on; if "cuda" fails, the CPU takes over and a note says why [default: $TRIBUTARY_PROVIDER, else
    /// cpu]
    #[arg(long, value_parser = named(Provider::ALL, Provider::name))]
    pub provider: Option<Provider>,
    /// With --profile file: let the network's averages follow the song instead of running it once over all of it before.
    /// Takes half the time, as the plug-in does before it has learned the song
    #[arg(long)]
    pub running_statistics: bool,
    #[command(flatten)]
    pub normalization: NormalizationArgs,
    #[command(flatten)]
    pub controls: ControlArgs,
    /// Also write everything measured as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Where the corrections come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Each stem's whole file
    File,
    /// Running estimates, exactly as live
    Adaptive,
}

/// Reads one of several values by its name.
fn named<T: Copy + Default + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let find = move |word: String| all.into_iter().find(|value| name(*value) == word).unwrap_or_default();
    PossibleValuesParser::new(all.map(name)).map(find)
}

/// How a mix of that name is written.
///
/// # Errors
/// Samples that the file cannot hold.
pub fn packed(output: &Path, bits: Option<Samples>) -> Result<(Container, Samples)> {
    let container = Container::of(output).unwrap_or_default();
    let samples = bits.unwrap_or(container.samples());
    if (container, samples) == (Container::Flac, Samples::Float32) {
        bail!("FLAC holds whole numbers: use --bits 24 or 16, or give the mix a name that ends in .wav");
    }
    Ok((container, samples))
}
