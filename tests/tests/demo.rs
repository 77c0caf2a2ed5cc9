//! The demo's host program, run as `cargo xtask demo` runs it: on odd folders of stems, and on none.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap_host::bundled::{built_clap, model_folder, present_or_skipped, workspace_folder};
use clap_host::signals::bursts;
use serde_json::Value;
use tributary_audio_io::{file_output, reader};
use tributary_dsp::StereoBuffer;

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tributary-demo-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write_stem(&self, name: &str, rate_hz: u32, seconds: f64, seed: u64) {
        let frames = (f64::from(rate_hz) * seconds) as usize;
        let left = bursts(frames, 0.3, f64::from(rate_hz), seed);
        let right = bursts(frames, 0.3, f64::from(rate_hz), seed + 50);
        file_output::write_wav(&self.path(name), &StereoBuffer { left, right }, rate_hz).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn demo_host(clap: &Path, stems: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo-host"));
    command.arg("--clap").arg(clap).arg("--stems").arg(stems).arg("--out").arg(out).args(more);
    command.output().unwrap()
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.starts_with("error: ")).map(str::to_owned);
    line.unwrap_or_else(|| panic!("no error line in {text:?}"))
}

#[test]
fn says_plainly_what_is_missing() {
    let folder = Folder::new("missing");
    let nowhere = folder.path("nowhere");
    let out = folder.path("out.wav");
    assert!(error_of(&demo_host(&nowhere, &nowhere, &out, &[])).contains("no folder of stems at"));
    std::fs::write(folder.path("notes.txt"), "no music").unwrap();
    assert!(error_of(&demo_host(&nowhere, &folder.0, &out, &[])).contains("holds no stems"));
    std::fs::write(folder.path("bass.wav"), "no music").unwrap();
    assert!(error_of(&demo_host(&nowhere, &folder.0, &out, &[])).contains("bass.wav"));
    folder.write_stem("bass.wav", 44_100, 0.5, 1);
    assert!(error_of(&demo_host(&nowhere, &folder.0, &out, &[])).contains("no plug-in at"));
    assert!(error_of(&demo_host(&nowhere, &folder.0, &out, &["--block", "0"])).contains("block of 0 frames"));
    assert!(error_of(&demo_host(&nowhere, &folder.0, &out, &["--rate", "7"])).contains("7 Hz"));
    assert!(!out.exists(), "an error leaves no mix behind");
}

#[test]
fn mixes_odd_stems_and_reports() {
    let Some(clap) = built_clap() else { return };
    let folder = Folder::new("odd");
    folder.write_stem("Vocals.wav", 48_000, 3.0, 1);
    folder.write_stem("drums.wav", 44_100, 2.2, 2);
    folder.write_stem("other.wav", 22_050, 2.5, 3);
    let (out, json) = (folder.path("out.wav"), folder.path("report.json"));
    let output = demo_host(&clap, &folder.0, &out, &["--json", json.to_str().unwrap(), "--block", "333"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("the bass stem is missing"), "{stderr}");
    assert!(
        ["vocals", "bass", "drums", "other", "LUFS-I", "dBTP", "latency"]
            .iter()
            .all(|word| stdout.contains(word))
    );
    let mix = reader::read(&out).unwrap();
    assert_eq!((mix.sample_rate_hz, mix.audio.left.len()), (48_000, 144_000));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["underruns"], 0);
    assert!(report["real_time_factor"].as_f64().unwrap() > 0.0);
    assert!(report["stems"][1]["played_lufs"].is_null());
    for stem in [0, 2, 3] {
        assert!(report["stems"][stem]["relative_to_mix_lu"].as_f64().unwrap() > -40.0, "{report:#}");
        assert!(report["stems"][stem]["normalized_lufs"].as_f64().is_some(), "{report:#}");
    }
}

#[test]
fn the_environment_may_name_another_model() {
    let Some(clap) = built_clap() else { return };
    let folder = Folder::new("environment");
    for (seed, name) in ["vocals.wav", "bass.wav", "drums.wav", "other.wav"].iter().enumerate() {
        folder.write_stem(name, 44_100, 1.5, seed as u64);
    }
    let (out, json) = (folder.path("out.wav"), folder.path("report.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo-host"));
    command
        .arg("--clap")
        .arg(clap)
        .arg("--stems")
        .arg(&folder.0)
        .arg("--out")
        .arg(&out)
        .arg("--json")
        .arg(&json);
    assert!(command.env("TRIBUTARY_MODEL", model_folder("sum")).output().unwrap().status.success());
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(report["unexplained_db"].as_f64().unwrap() < -100.0, "{report:#}");
    for stem in report["stems"].as_array().unwrap() {
        assert!(stem["gain_in_mix_db"].as_f64().unwrap().abs() < 0.001, "{stem}");
    }
}

/// The shipped model on a song: every stem that sounds must be heard in the mix.
fn every_stem_is_present(stems: &Path, name: &str) {
    let Some(clap) = built_clap() else { return };
    let Some(stems) = present_or_skipped(stems.to_owned()) else { return };
    let folder = Folder::new(name);
    let (out, json) = (folder.path("out.wav"), folder.path("report.json"));
    let output = demo_host(&clap, &stems, &out, &["--json", json.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    for stem in report["stems"].as_array().unwrap().iter().filter(|stem| !stem["played_lufs"].is_null()) {
        let relative_lu = stem["relative_to_mix_lu"].as_f64().unwrap();
        assert!(relative_lu > -30.0, "{name}: {stem}");
    }
    let mix_lufs = report["mix_lufs"].as_f64().unwrap();
    assert!((-35.0..-5.0).contains(&mix_lufs), "{name}: the mix has {mix_lufs} LUFS");
}

#[test]
fn every_stem_of_the_demo_song_is_in_the_mix() {
    every_stem_is_present(&workspace_folder().join("assets/demo"), "demo-song");
}

#[test]
fn every_stem_of_a_real_song_is_in_the_mix() {
    every_stem_is_present(&workspace_folder().join("../shared/real/Disco"), "real-song");
}
