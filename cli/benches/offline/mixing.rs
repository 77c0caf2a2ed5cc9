//! Speed and memory of `tributary mix` with the network of the published size.

use std::path::{Path, PathBuf};
use std::process::Command;

use tributary_dsp::{Stem, StereoBuffer};

use super::peak::{Peak, run_to_end};
use super::{RATE_HZ, Results, repository, song};

const MINUTE_S: usize = 60;

/// Adds the figures, or says loudly that there are none.
pub fn mixing(results: &mut Results) {
    let Some(models) = std::env::var_os("TRIBUTARY_PUBLISHED_SIZE").map(PathBuf::from) else {
        eprintln!("SKIPPED: offline mix: TRIBUTARY_PUBLISHED_SIZE names no bundles; run `cargo xtask bench`");
        return;
    };
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("offline-bench");
    let mix = |song: &Path, more: &[&str]| -> Peak {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command.arg("mix").arg(song).arg("--output").arg(root.join("mix.wav")).args(more);
        run_to_end(command.arg("--model").arg(models.join("incremental")).env_remove("TRIBUTARY_MODEL"))
    };
    let (short, long) = (root.join("short"), root.join("long"));
    write_song(&short, MINUTE_S);
    write_song(&long, 4 * MINUTE_S);
    let mb = |peak: &Peak| peak.mib * 1.048_576;
    let x_realtime = |peak: &Peak| (4 * MINUTE_S) as f64 / peak.time.as_secs_f64();
    results.push(("offline_mix_one_minute_peak_mb", mb(&mix(&short, &[]))));
    let learned = mix(&long, &[]);
    results.push(("offline_mix_peak_mb", mb(&learned)));
    results.push(("offline_mix_x_realtime", x_realtime(&learned)));
    let running = mix(&long, &["--running-statistics"]);
    results.push(("offline_mix_running_x_realtime", x_realtime(&running)));
    std::fs::remove_dir_all(&root).unwrap();
}

/// The demo song, over and over, for so many seconds: four stereo WAV files of 16 bits.
fn write_song(folder: &Path, seconds: usize) {
    std::fs::create_dir_all(folder).unwrap();
    let demo = song(&repository("assets/demo"));
    for (stem, audio) in Stem::ALL.into_iter().zip(&demo.stems) {
        let audio: &StereoBuffer = audio.as_ref().expect("the demo has all stems");
        let format = hound::WavSpec {
            channels: 2,
            sample_rate: RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let path = folder.join(stem.name()).with_extension("wav");
        let mut writer = hound::WavWriter::create(path, format).unwrap();
        for frame in 0..seconds * RATE_HZ as usize {
            let frame = frame % audio.left.len();
            for sample in [audio.left[frame], audio.right[frame]] {
                writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).unwrap();
            }
        }
        writer.finalize().unwrap();
    }
}
