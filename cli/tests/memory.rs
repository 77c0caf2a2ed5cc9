//! Memory does not grow with the song: the highest resident memory of every command, for a short and a long song. The
//! songs in the default run differ tenfold; the ignored one compares 5 with 60 minutes:
//! `cargo test --release -p tributary-cli --test memory -- --ignored --nocapture`.
#![cfg(target_os = "linux")]

#[path = "support/peak.rs"]
mod peak;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Wav, folder, write};

/// Runs `tributary` to its end; returns its highest resident memory in MiB.
fn highest_mib(arguments: &[&str]) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    peak::run_to_end(command.args(arguments).env_remove("TRIBUTARY_MODEL")).mib
}

/// Every command on a song of two stems of this length, one of them at another rate.
fn commands(root: &Path, seconds: f64) -> Vec<(&'static str, f64)> {
    let song = root.join(format!("set-{seconds}/Song"));
    write(&song.join("vocals.wav"), 0, Wav { seconds, ..Wav::CD });
    write(&song.join("drums.wav"), 2, Wav { seconds, rate_hz: 48_000, channels: 1, ..Wav::CD });
    let path = |name: &str| root.join(format!("{name}-{seconds}")).to_str().expect("plain").to_owned();
    let (set, song) = (path("set"), song.to_str().expect("plain").to_owned());
    let mix = format!("{}.wav", path("mix"));
    let results = vec![
        ("normalize", highest_mib(&["normalize", &set, "-o", &path("normalized"), "--jobs", "1"])),
        ("analyze", highest_mib(&["analyze", &set, "-o", &path("targets.json"), "--jobs", "1"])),
        ("profile", highest_mib(&["profile", &song, "-o", &path("profile.json")])),
        ("mix", highest_mib(&["mix", &song, "-o", &mix, "--model", "sum", "--recipe", "paper"])),
    ];
    fs::remove_dir_all(&set).expect("removed");
    fs::remove_dir_all(path("normalized")).expect("removed");
    fs::remove_file(&mix).expect("removed");
    results
}

fn compare(short_s: f64, long_s: f64, more_mib: f64) {
    let root = folder(&format!("memory-{long_s}"));
    let (short, long) = (commands(&root, short_s), commands(&root, long_s));
    for ((name, short_mib), (_, long_mib)) in short.into_iter().zip(long) {
        eprintln!("{name:10} {short_s:5} s: {short_mib:6.1} MiB, {long_s:5} s: {long_mib:6.1} MiB");
        assert!(long_mib < short_mib + more_mib, "{name}: {short_mib} MiB became {long_mib} MiB");
    }
}

#[test]
fn a_song_ten_times_as_long_takes_no_more_memory() {
    // Ten times the song held in memory would be 18 MiB more.
    compare(6.0, 60.0, 6.0);
}

#[test]
#[ignore = "takes minutes and 6 GB of disk"]
fn an_hour_takes_no_more_memory_than_five_minutes() {
    compare(300.0, 3600.0, 16.0);
}
