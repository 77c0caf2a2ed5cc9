//! What the built plug-in says to the world while it plays: nothing. A host with an empty environment and a home of its own
//! plays for a minute and a half, and is watched from outside – its home, its sockets, its threads.
//!
//! ONNX Runtime's telemetry collector, which releases from 1.29 on hold, writes nothing where the variables `CI` or
//! `GITHUB_ACTIONS` are set. So the environment of what is watched is empty, and the same eyes must see that such a
//! release, unprotected, leaves traces; otherwise the test would pass for the wrong reason.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap_host::bundled::{built_clap, present_or_skipped, skipped};
use clap_host::signals::bursts;
use tributary_audio_io::file_output;
use tributary_dsp::StereoBuffer;

/// The collector looks its server up within 75 s of the first environment.
const PLAYED_S: u32 = 90;
/// The collector's files and its thread are there at once. It is ended before it looks for a server.
const CONTROL: Duration = Duration::from_secs(4);
/// Time between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Names a release of ONNX Runtime with the collector, for the control.
const CONTROL_VARIABLE: &str = "TRIBUTARY_REPORTING_RUNTIME";

/// By then the model is loaded, for which threads come and go. The collector's thread stays.
const LOADED: Duration = Duration::from_secs(10);
/// Threads that a playing host has, sorted: the framework's for background tasks, its own, the engine's worker. A thread
/// has the name of the one that made it unless it is given another, and the kernel cuts names after 15 bytes.
const THREADS: [&str; 3] = ["bg-worker", "demo-host", "tributary-worke"];

/// Makes ONNX Runtime's environment through its C interface and stays for a while: `CreateEnv` is entry 3 of `OrtApi`.
const UNPROTECTED: &str = "
import ctypes, sys, time
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_uint32, c_void_p
library = ctypes.CDLL(sys.argv[1])
library.OrtGetApiBase.restype = POINTER(c_void_p)
get_api = CFUNCTYPE(POINTER(c_void_p), c_uint32)(library.OrtGetApiBase()[0])
create_environment = CFUNCTYPE(c_void_p, c_int, c_char_p, POINTER(c_void_p))(get_api(1)[3])
assert not create_environment(3, b'control', byref(c_void_p()))
time.sleep(600)
";

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tributary-privacy-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("home")).unwrap();
        Self(path)
    }

    fn home(&self) -> PathBuf {
        self.0.join("home")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was seen of a process and its home.
#[derive(Debug, Default)]
struct Traces {
    files: Vec<PathBuf>,
    sockets: BTreeSet<String>,
    /// Names of the threads when there were most, sorted.
    threads: Vec<String>,
    looks: usize,
}

/// Runs a program with nothing but a home in its environment and watches it until it ends or its time is over.
/// Threads count from `settled` on.
fn watch(mut command: Command, home: &Path, settled: Duration, longest: Duration) -> (Traces, bool) {
    command.env_clear().env("HOME", home).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let (started, mut traces) = (Instant::now(), Traces::default());
    let succeeded = loop {
        look_at(&process, started.elapsed() >= settled, &mut traces);
        if let Some(status) = child.try_wait().unwrap() {
            break status.success();
        }
        if started.elapsed() > longest {
            let _ = (child.kill(), child.wait());
            break false;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    list_files(home, &mut traces.files);
    (traces, succeeded)
}

fn look_at(process: &Path, settled: bool, traces: &mut Traces) {
    let entries = |name: &str| std::fs::read_dir(process.join(name)).into_iter().flatten().flatten();
    let names = entries("task").filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let mut threads: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    threads.sort();
    if settled && threads.len() > traces.threads.len() {
        traces.threads = threads;
    }
    let opened = entries("fd").filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    let names = opened.map(|target| target.to_string_lossy().into_owned());
    traces.sockets.extend(names.filter(|name| name.starts_with("socket:")));
    traces.looks += 1;
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list_files(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn write_stems(folder: &Path, seconds: u32) {
    const RATE_HZ: u32 = 44_100;
    for (seed, name) in ["vocals.wav", "bass.wav", "drums.wav", "other.wav"].into_iter().enumerate() {
        let frames = (RATE_HZ * seconds) as usize;
        let left = bursts(frames, 0.3, f64::from(RATE_HZ), seed as u64);
        let stem = StereoBuffer { right: left.clone(), left };
        file_output::write_wav(&folder.join(name), &stem, RATE_HZ).unwrap();
    }
}

#[test]
fn a_host_that_plays_for_ninety_seconds_leaves_no_trace() {
    let Some(clap) = built_clap() else { return };
    let folder = Folder::new("plays");
    let stems = folder.0.join("stems");
    std::fs::create_dir(&stems).unwrap();
    write_stems(&stems, PLAYED_S);
    let mut host = Command::new(env!("CARGO_BIN_EXE_demo-host"));
    host.arg("--realtime").arg("--clap").arg(clap);
    host.arg("--stems").arg(&stems).arg("--out").arg(folder.0.join("mix.wav"));
    let started = Instant::now();
    let (traces, succeeded) = watch(host, &folder.home(), LOADED, Duration::from_secs(240));
    assert!(succeeded && started.elapsed() >= Duration::from_secs(u64::from(PLAYED_S)), "{traces:?}");
    assert!(traces.looks > 100, "the host was hardly watched: {traces:?}");
    assert_eq!(traces.files, Vec::<PathBuf>::new(), "files in the user's home");
    assert!(traces.sockets.is_empty(), "{traces:?}");
    assert_eq!(traces.threads, THREADS);
}

/// The control: the same eyes see what a release with the collector does.
#[test]
fn an_unprotected_release_with_the_collector_is_seen() {
    let Some(library) = std::env::var_os(CONTROL_VARIABLE).map(PathBuf::from) else {
        skipped(&format!("{CONTROL_VARIABLE} names no release of ONNX Runtime with the telemetry collector"));
        return;
    };
    let Some(library) = present_or_skipped(library) else { return };
    let folder = Folder::new("control");
    let mut python = Command::new(which("python3"));
    python.args(["-c", UNPROTECTED]).arg(library);
    let (traces, _) = watch(python, &folder.home(), Duration::ZERO, CONTROL);
    assert!(!traces.files.is_empty(), "the watch saw no file of the collector: {traces:?}");
    assert!(traces.threads.len() > 1, "the watch saw no thread of the collector: {traces:?}");
}

/// A program's path, because the watched process has no `PATH`.
fn which(program: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{program} is not on PATH"))
}
