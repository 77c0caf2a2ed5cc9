//! Whole songs: how fast `tributary mix` is, how much memory it takes, and how near the stream is to the network over the
//! whole song. `cargo bench -p tributary-cli`; speed and memory are for the published size, which `cargo xtask bench` makes
//! and hands over.
//!
//! - `offline_mix_x_realtime`: four minutes of music, four stereo stems from WAV files, everything included, wall time on as
//!   many cores as the machine has (the program uses two).
//! - `offline_mix_running_x_realtime`: the same without the pass that learns the song's averages.
//! - `offline_mix_peak_mb`, `offline_mix_one_minute_peak_mb`: highest resident memory, in 10⁶ bytes.
//! - `stream_sdr_db_MODE`, `stream_sdr_db_learned`: the default model, see `offline/fidelity.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A benchmark fails by panicking.

#[path = "offline/fidelity.rs"]
mod fidelity;
#[path = "offline/mixing.rs"]
mod mixing;
#[path = "../tests/support/peak.rs"]
mod peak;

use std::path::{Path, PathBuf};

use tributary_audio_io::dataset;
use tributary_audio_io::song::{Rate, Song};

type Results = Vec<(&'static str, f64)>;

const RATE_HZ: u32 = 44_100;

fn main() {
    let mut results = Results::new();
    fidelity::fidelity(&mut results);
    mixing::mixing(&mut results);
    for (name, value) in results {
        println!("{name:36} {value:12.5}");
    }
}

/// A folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The four stems in a folder.
fn song(folder: &Path) -> Song {
    Song::read(&dataset::song_in(folder).unwrap(), Rate::Hz(RATE_HZ)).unwrap()
}
