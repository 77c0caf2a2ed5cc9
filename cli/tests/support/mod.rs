//! Shared by the integration tests: runs the built `tributary`, and makes the audio it is fed with.
#![allow(dead_code, unused_imports)] // Every test binary uses its own part.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use tributary_test_support::flac;
pub use tributary_test_support::wav::{STEMS, Wav, signal, song, write, write_with};

/// A fresh folder for one test, under cargo's temporary folder for tests.
pub fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("the temporary folder can be made");
    path
}

/// What the program said and how it ended.
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Ends with exit code 1 and exactly one line of error that holds `sentence`; panics are never that.
    #[track_caller]
    pub fn fails_with(self, sentence: &str) -> Self {
        assert_eq!(self.code, Some(1), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        let errors: Vec<&str> = self.err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "stderr:\n{}", self.err);
        assert!(errors[0].contains(sentence), "\"{sentence}\" is not in: {}", errors[0]);
        assert!(!self.err.contains("panicked"), "stderr:\n{}", self.err);
        self
    }

    /// Ends with the exit code of a job that had to leave songs out.
    #[track_caller]
    pub fn leaves_songs_out(self) -> Self {
        assert_eq!(self.code, Some(3), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self.notes("songs were skipped")
    }

    #[track_caller]
    pub fn notes(self, sentence: &str) -> Self {
        assert!(self.err.contains(sentence), "\"{sentence}\" is not in:\n{}", self.err);
        self
    }
}

/// Runs `tributary` with these arguments and without the user's own model and runtime settings.
pub fn tributary<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Run {
    Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(arguments)
        .env_remove("TRIBUTARY_MODEL")
        .output()
        .expect("the built program can be run")
        .into()
}

/// Audio of a written result: rate in Hz, left, right.
pub fn read(path: &Path) -> (u32, Vec<f32>, Vec<f32>) {
    let mut reader = hound::WavReader::open(path).expect("the result is a WAV file");
    let spec = reader.spec();
    assert_eq!(
        (spec.channels, spec.bits_per_sample, spec.sample_format),
        (2, 32, hound::SampleFormat::Float)
    );
    let samples: Vec<f32> = reader.samples().map(|sample| sample.expect("the result is complete")).collect();
    let channel = |c: usize| samples.iter().skip(c).step_by(2).copied().collect();
    (spec.sample_rate, channel(0), channel(1))
}

/// Root mean square of some samples.
pub fn rms(samples: &[f32]) -> f64 {
    (samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// All files below a folder with their bytes, sorted by relative path.
pub fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_none_or(|extension| extension != "part") {
                // A write that was killed leaves a .part file, which never counts.
                let bytes = fs::read(&path).expect("the file can be read");
                files.push((path.strip_prefix(root).expect("it lies below").to_owned(), bytes));
            }
        }
    }
    files.sort();
    files
}

pub mod page;
