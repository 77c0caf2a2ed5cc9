//! How long a program runs and how much memory it takes at most.
#![allow(dead_code)] // Every user looks at its own part.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program that ended well.
pub struct Peak {
    /// Wall time.
    pub time: Duration,
    /// Highest resident memory in MiB.
    pub mib: f64,
}

/// Runs a program to its end, unseen and unheard.
///
/// # Panics
/// When it cannot be started, fails, or ends before its memory can be looked at.
pub fn run_to_end(command: &mut Command) -> Peak {
    let start = Instant::now();
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the built program can be run");
    let status = format!("/proc/{}/status", child.id());
    let mut highest_kib = 0.0f64;
    loop {
        // The kernel keeps the highest value itself; it is gone with the process, so it is asked until then.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        highest_kib = highest_kib.max(kib.unwrap_or(0.0));
        if let Some(exit) = child.try_wait().expect("waited for") {
            assert!(exit.success(), "{command:?}");
            assert!(highest_kib > 0.0, "the program ended before it was looked at");
            return Peak { time: start.elapsed(), mib: highest_kib / 1024.0 };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
